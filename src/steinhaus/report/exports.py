"""Write assignments for other tools: CSV, Parquet, Embedding Atlas, FiftyOne."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from steinhaus.errors import SteinhausError
from steinhaus.report import files, measures, members, pictures
from steinhaus.report.data import ReportData

Columns = dict[str, list[Any]]


def assignments(data: ReportData, k: int) -> Columns:
    """Every image, train then test, with its cluster in the best run of K.

    Parameters
    ----------
    data
        The data of the study, with its images; see `from_result`.
    k
        The number of clusters.

    Returns
    -------
    dict
        Columns of equal length. ``image``: the file, or the number in the source; ``split``: "train" or "test";
        ``cluster``; ``label``, ``mapped_label`` (the label of the cluster) and ``correct``: None if there are no
        labels; ``distance``: to the centroid, in the units of the study; ``margin``: the distance to the next centroid
        minus this one, None for one cluster.
    """
    near = measures.measure(_with_images(data, k))[0][k]
    names, labels = data.record.data.label_names, data.labels
    best = next(b for b in data.record.best if b.k == k)
    clusters = near.clusters[:, 0].tolist()
    n = len(clusters)
    mapped = [None if best.mapping is None else best.mapping[j] for j in clusters]
    own = [None] * n if labels is None else labels.tolist()
    margins = near.distances[:, 1] - near.distances[:, 0] if k > 1 else None
    return {
        "image": data.files or [str(i) for i in data.numbers.tolist()],
        "split": ["train"] * data.n_train + ["test"] * (n - data.n_train),
        "cluster": clusters,
        "label": [None if i is None or names is None else names[i] for i in own],
        "mapped_label": [None if i is None or names is None else names[i] for i in mapped],
        "correct": [None if a is None or b is None else a == b for a, b in zip(own, mapped, strict=True)],
        "distance": _rounded(near.distances[:, 0]),
        "margin": [None] * n if margins is None else _rounded(margins),
    }


def _rounded(values: Any) -> list[float]:
    """Distances rounded to five digits, the precision of float32 distances."""
    return np.round(values.astype(np.float64), 5).tolist()  # type: ignore[no-any-return]


def _with_images(data: ReportData, k: int) -> ReportData:
    """The data with the centroids of only one K."""
    if data.train is None:
        raise SteinhausError("An export needs the study's images, but they were not found. Name their source.")
    if data.is_sample:
        raise SteinhausError(
            "An export needs all images in memory, but they stay on disk. The study's assignments.csv has the cluster "
            "of each image."
        )
    if k not in data.centroids:
        known = ", ".join(str(known) for known in data.centroids)
        raise SteinhausError(f"The study has no K = {k} to export. Its K are {known}.")
    features = {k: data.feature_centroids[k]} if data.feature_centroids else {}
    return replace(data, centroids={k: data.centroids[k]}, feature_centroids=features, run_centroids={}, flows=())


def write_csv(data: ReportData, k: int, path: Path) -> Path:
    """Write `assignments` as CSV (UTF-8). Text that a spreadsheet would run as a formula is made safe.

    Parameters
    ----------
    data
        The data of the study, with its images; see `from_result`.
    k
        The number of clusters.
    path
        The file to write.

    Returns
    -------
    Path
        `path`.
    """
    return files.write(path, to_csv(assignments(data, k)).encode("utf-8", "backslashreplace"))


def to_csv(columns: Mapping[str, list[Any]]) -> str:
    """Columns as CSV text. None becomes an empty cell; booleans become true and false.

    Parameters
    ----------
    columns
        Columns of equal length, as from `assignments`.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(v) for v in row] for row in zip(*columns.values(), strict=True))
    return out.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    return safe(value) if isinstance(value, str) else value


def safe(text: str) -> str:
    """Text that no spreadsheet runs as a formula: an apostrophe goes before = + - @, tab and carriage return."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def write_parquet(data: ReportData, k: int, path: Path) -> Path:
    """Write `assignments` as Parquet. A study of features gets a column ``vector`` with the clustered vectors.

    Parameters
    ----------
    data
        The data of the study, with its images; see `from_result`.
    k
        The number of clusters.
    path
        The file to write.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    SteinhausError
        If pyarrow is not installed.
    """
    return _parquet({**_text(assignments(data, k)), **_vectors(data)}, path)


def _vectors(data: ReportData) -> Columns:
    """The features of every image, one list per image; empty if pixels are clustered."""
    points = [part.points for part in data.parts if part.points is not None]
    return {"vector": list(np.concatenate(points))} if points else {}


def write_atlas(data: ReportData, k: int, path: Path) -> Path:
    """Write `assignments`, the pictures and two coordinates as Parquet for Embedding Atlas.

    ``image`` is a struct of ``bytes`` (PNG) and ``path``. ``x`` and ``y`` are coordinates in the plane of the report's
    map, which shows most of the variance between the clusters of K. Open it with ``embedding-atlas FILE --image image
    --x x --y y``.

    Parameters
    ----------
    data
        The data of the study, with its images; see `from_result`.
    k
        The number of clusters.
    path
        The file to write.

    Returns
    -------
    Path
        `path`.
    """
    columns = _text(assignments(data, k))
    best = next(b for b in data.record.best if b.k == k)
    at = measures.project(data, measures.plane(data.measured_centroids(k), best.sizes))
    paths = columns["image"]
    columns["image"] = [{"bytes": p, "path": name} for p, name in zip(_pngs(data), paths, strict=True)]
    return _parquet({**columns, **_vectors(data), "x": at[:, 0].tolist(), "y": at[:, 1].tolist()}, path)


def write_fiftyone(data: ReportData, k: int, folder: Path) -> Path:
    """Write ``labels.csv`` and the pictures in ``data/``, which FiftyOne imports as a `CSVDataset`.

    A study of features gets its vectors, too, in ``vectors.npy``, one row per picture.

    Parameters
    ----------
    data
        The data of the study, with its images; see `from_result`.
    k
        The number of clusters.
    folder
        The folder to write.

    Returns
    -------
    Path
        `folder`.
    """
    columns = _text(assignments(data, k))
    names = [f"{i:07d}.png" for i in range(len(columns["image"]))]
    for name, content in zip(names, _pngs(data), strict=True):
        path = folder / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    if vectors := _vectors(data):
        out = io.BytesIO()
        np.save(out, np.stack(vectors["vector"]), allow_pickle=False)
        files.write(folder / "vectors.npy", out.getvalue())
    return files.write(folder / "labels.csv", to_csv({"filepath": names, **columns}).encode())


def _text(columns: Columns) -> Columns:
    """Columns with valid UTF-8 text: other bytes in file names are escaped."""
    encode = {"image", "label", "mapped_label"}
    return {
        key: [v if v is None else v.encode("utf-8", "backslashreplace").decode() for v in values]
        if key in encode
        else values
        for key, values in columns.items()
    }


def _pngs(data: ReportData) -> Iterator[bytes]:
    """Yield every image as PNG, train then test, in its own size; vectors as profiles."""
    n = data.n
    rows = measures.rows_in_block(int(np.prod(data.shape)))
    for start in range(0, n, rows):
        for picture in members.drawn(data, np.arange(start, min(start + rows, n))):
            yield pictures.png(picture)


def _parquet(columns: Columns, path: Path) -> Path:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as e:
        raise SteinhausError("Parquet files need pyarrow: pip install 'steinhaus[parquet]'.") from e
    sink = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(pyarrow.table(columns), sink, compression="zstd")
    return files.write(path, sink.getvalue().to_pybytes())

"""`steinhaus predict`: find the cluster, label and distance of new images."""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from steinhaus.cli import arguments
from steinhaus.cli.progress import watching
from steinhaus.cli.sources import open_source
from steinhaus.cli.words import tell
from steinhaus.errors import DataError
from steinhaus.wording import option

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from steinhaus.features.asked import Features
    from steinhaus.images import Images, Progress
    from steinhaus.study import StudyResult
    from steinhaus.study.record import DataRecord, FeaturesRecord


ANY_SIZE = ("model", "colour", "file", "array", "given")  # features that work for pictures of any size
TABLES = ("csv", "parquet", "arrow")


@dataclass(frozen=True)
class Prediction:
    """A study's prediction for one image."""

    image: str
    cluster: int
    label: str | None  # None: the study has no labels, or the cluster has none
    distance: float  # to the cluster's centroid, in the units of the study


@click.command()
@click.argument("folder", metavar="DIR")
@click.argument("sources", metavar="IMAGES...", nargs=-1, required=True)
@click.option("--k", metavar="K", type=click.IntRange(1), help="The K to use. [default: the study's largest]")
@click.option("--format", "form", type=click.Choice(["table", "csv", "jsonl"]), default="table", show_default=True)
@arguments.threads_option
@arguments.source_features
@arguments.reading_options
@arguments.quiet_option
@arguments.debug_option
def predict(
    *,
    folder: str,
    sources: tuple[str, ...],
    k: int | None,
    form: str,
    threads: int | None,
    features: Features | None,
    reading: dict[str, Any],
    quiet: bool,
) -> None:
    """Find the cluster of new images.

    DIR is the folder of a study. IMAGES are pictures, folders of pictures, or IDX, .npy, .npz or CSV files, with images
    of the size of the study's. The distance is measured to the cluster's mean image, with pixels scaled to 0..1. If the
    study clusters features, they are made for the new images, too, and the distance is measured between features.
    IMAGES may then also be vectors that are as wide as the features.
    """
    from steinhaus.study import load

    result = load(folder)
    if not result.best:
        raise DataError(f"{folder} has no finished run yet. Give the study's command again to resume it.")
    k = k or result.best[-1].k
    centroids = result.raw_centroids(k)
    with watching(quiet) as watch:
        found = [
            prediction
            for source in sources
            for prediction in predicted(
                result,
                k,
                centroids,
                source,
                open_source(source, with_columns(source, reading, result.record.data), watch),
                threads=threads,
                scale_given="full_scale" in reading,
                features=features,
                progress=watch.step,
            )
        ]
    WRITERS[form](found)


def with_columns(source: str, reading: dict[str, Any], data: DataRecord) -> dict[str, Any]:
    """The options for reading a source. For a table, the default columns are the study's, by name."""
    from steinhaus.images.opening import kind_of

    if data.columns is None or {"columns", "without"} & set(reading) or kind_of(source) not in TABLES:
        return reading
    return {**reading, "columns": data.columns}


def predicted(
    result: StudyResult,
    k: int,
    centroids: NDArray[np.float64],
    source: str,
    images: Images,
    *,
    threads: int | None = None,
    scale_given: bool = False,
    features: Features | None = None,
    progress: Progress | None = None,
) -> list[Prediction]:
    """Predict all images of a source with the best run of one K.

    Parameters
    ----------
    result, k
        The study, and the value of K.
    centroids
        (k, d) float64, the unscaled centroids.
    source, images
        The images, and the name that the user gave.
    threads
        As in `Study`.
    scale_given
        Whether the user gave the value that counts as 1.
    features
        The features of these images, if they are not made from them.
    progress
        A function that is told how far the features are.

    Raises
    ------
    DataError
        If the images have another shape than the study's, or if the scale of their values is not clear.
    """
    from steinhaus.study import space

    data = result.record.data
    if _are_vectors(images, data) and features is None:
        tell(f"{source} holds vectors of {images.shape[0]:,} values: they are taken for features as in the study.")
        made = space.with_vectors(cast("FeaturesRecord", data.features), images)
    else:
        rows = _rows(images, data, source)
        if not scale_given:
            highest = float((centroids if data.features is None else result.mean_images(k) * data.full_scale).max())
            check_scale(images, data, highest, source)
        on_scale = replace(images, pixels=rows.reshape(images.n, *images.shape), full_scale=data.full_scale)
        made = on_scale if data.features is None else _featured(on_scale, images, data, source, features, progress)
    rows = result.points(made)
    clusters = _clusters(rows, centroids, threads)
    distances = _distances(rows, clusters, centroids) / data.unit
    mapping = next(run.mapping for run in result.best if run.k == k) or [None] * k
    labels = [None if label is None or data.label_names is None else data.label_names[label] for label in mapping]
    return [
        Prediction(name, cluster, labels[cluster], distance)
        for name, cluster, distance in zip(_names(source, images), clusters.tolist(), distances.tolist(), strict=True)
    ]


def _are_vectors(images: Images, data: DataRecord) -> bool:
    """Whether these are features already: plain vectors as wide as those of a study of pictures."""
    features = data.features
    return (
        features is not None and features.kind != "pixels" and len(data.shape) > 1 and images.shape == (features.width,)
    )


def _featured(
    on_scale: Images,
    images: Images,
    data: DataRecord,
    source: str,
    asked: Features | None,
    progress: Progress | None,
) -> Images:
    """Images with features made as in the study; those of a file are of the study's own pictures alone."""
    from steinhaus.study.space import again

    assert data.features is not None
    if asked is None and data.features.kind == "file" and images.sha256 != data.sha256:
        raise DataError(
            f"The study's features are rows of {data.features.name}, one for each of its own pictures, and {source} "
            "does not hold those. Give a file of the features of these: --features features.npy."
        )
    return again(data.features, on_scale, asked, progress=progress)


def _rows(images: Images, data: DataRecord, source: str) -> NDArray[Any]:
    """The images as points in the study's units, (n, d)."""
    free = data.features is not None and data.features.kind in ANY_SIZE
    if not free and images.shape not in (data.shape, (math.prod(data.shape),)):
        here, there = (" x ".join(map(str, shape)) for shape in (images.shape, data.shape))
        raise DataError(
            f"{source} holds images of {here}, but the study's are {there} (height x width). Change pictures with "
            "--size and --mode, arrays with --shape."
        )
    rows: NDArray[Any] = images.rows
    if images.full_scale == data.full_scale:
        return rows
    return rows * (data.full_scale / images.full_scale)


def check_scale(images: Images, data: DataRecord, bound: float, source: str) -> None:
    """Refuse images whose values contradict their assumed full scale, or the study's.

    Values may go beyond the full scale only if the study's do, as in tables of numbers. `bound` is the largest value of
    any mean image.
    """
    reach = float(images.pixels[:].max())
    within = bound <= data.full_scale
    here, there = images.full_scale, data.full_scale
    beyond = reach > here and (within or here != there)
    small = here != there and 0 < reach <= there < here
    if len(data.shape) > 1 and (beyond or small or (here != there and not within)):
        raise DataError(
            f"{source} has values up to {reach:g} and an assumed full scale of {here:g}, but the study's full scale is "
            f"{there:g}. If these images have the study's scale: {option('full_scale', f'{there:g}')}."
        )


def _clusters(rows: NDArray[Any], centroids: NDArray[np.float64], threads: int | None) -> NDArray[np.int32]:
    # in: rows (n, d); centroids (k, d) float64
    from steinhaus import engines
    from steinhaus.points import Run

    with closing(engines.choose(rows, threads=threads)) as points:
        points.assign([Run("new", centroids)])
        labels: NDArray[np.int32] = points.labels("new")
    return labels


def _distances(rows: NDArray[Any], clusters: NDArray[np.int32], centroids: NDArray[np.float64]) -> NDArray[np.float64]:
    """The distance of each point to its centroid, (n,). A few rows at a time become float64."""
    # in: rows (n, d); clusters (n,) int32; centroids (k, d) float64
    import numpy as np

    step = max(1, (1 << 22) // rows.shape[1])
    parts = (slice(first, first + step) for first in range(0, len(rows), step))
    return np.concatenate([np.linalg.norm(rows[part] - centroids[clusters[part]], axis=1) for part in parts])


def _names(source: str, images: Images) -> list[str]:
    if images.files is not None and Path(source).is_dir():
        return [str(Path(source) / file) for file in images.files]
    return [source] if images.n == 1 else [f"{source}[{row}]" for row in range(images.n)]


def _write_table(found: Sequence[Prediction]) -> None:
    width = max(5, *(len(one.image) for one in found))
    label_width = max(5, *(len(one.label or "-") for one in found))
    click.echo(f"{'image':{width}}  cluster  {'label':{label_width}}  distance")
    for one in found:
        click.echo(f"{one.image:{width}}  {one.cluster:7}  {one.label or '-':{label_width}}  {one.distance:8.4f}")


def _write_csv(found: Sequence[Prediction]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["image", "cluster", "label", "distance"])
    writer.writerows([one.image, one.cluster, one.label or "", repr(one.distance)] for one in found)


def _write_json_lines(found: Sequence[Prediction]) -> None:
    for one in found:
        click.echo(
            json.dumps({"image": one.image, "cluster": one.cluster, "label": one.label, "distance": one.distance})
        )


WRITERS = {"table": _write_table, "csv": _write_csv, "jsonl": _write_json_lines}

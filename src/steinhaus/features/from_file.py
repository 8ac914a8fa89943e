"""Read vectors from a file, one row per picture: in the order of the pictures, or matched by a column of paths."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from steinhaus.errors import DataError
from steinhaus.images import label_files, npy, npz, parquet, parquet_files, zarr
from steinhaus.images.files import shown
from steinhaus.images.limits import Limits
from steinhaus.images.parquet_layout import VECTORS
from steinhaus.images.pixels import as_pixels
from steinhaus.images.sniffing import identify

PATHS = ("path", "paths", "file", "files")
KINDS = ("npy", "npz", "parquet", "arrow", "zarr")


def read(path: Path, files: Sequence[str] | None, n: int, limits: Limits, *, stored: bool) -> Any:
    """The vectors of n pictures, (n, d).

    Parameters
    ----------
    path
        A .npy, .npz or Parquet file, a folder of Parquet files, or a Zarr store.
    files
        The pictures' own files, as in `Images.files`.
    limits
        The largest sizes that are allowed.
    stored
        Whether vectors stay in the file, if its format allows it.

    Raises
    ------
    DataError
        If the file cannot be read, does not have one row per picture, or holds NaN.
    """
    if not path.exists():
        raise DataError(f"{shown(path)}: there is no such file of features.")
    kind = identify(path, limits)
    if kind not in KINDS:
        raise DataError(
            f"{shown(path)} is a {kind}, not a file of vectors. Give a .npy, .npz or Parquet file, a Zarr store, or a "
            "network (.onnx)."
        )
    values, names = _READERS[kind](path, limits, stored)
    if values.ndim != 2:
        raise DataError(
            f"{shown(path)} has shape {tuple(values.shape)}, but features are (pictures, values), one row per picture."
        )
    if names is not None and files is not None:
        return _by_name(path, values, names, files)
    if len(values) != n:
        raise DataError(
            f"{shown(path)} has {len(values):,} rows for {n:,} pictures. There must be one row per picture, in their "
            "order; or give a Parquet file with a column named path, which names the picture of each row."
        )
    return values


def _by_name(path: Path, values: Any, names: Sequence[str], files: Sequence[str]) -> Any:
    """The rows of these pictures, in their order."""
    rows = label_files.rows_of(names, files)
    if rows is None:
        known = {Path(name).name for name in names}
        missing = next((file for file in files if Path(file).name not in known), None)
        which = f"lacks {shown(missing)}" if missing else "names a picture twice"
        raise DataError(
            f"{shown(path)} {which}: each of the {len(files):,} pictures must be named once, by its path within the "
            "source."
        )
    if rows == list(range(len(values))):
        return values
    places = np.array(rows, np.int64)
    return values.taken(places) if hasattr(values, "taken") else values[places]


def _of_npy(path: Path, limits: Limits, stored: bool) -> tuple[Any, list[str] | None]:
    if stored:
        return npy.read(path, stored=True, limits=limits, progress=None).pixels, None
    return as_pixels(npy.array_of(path, limits), shown(path), each="value")[0], None


def _of_npz(path: Path, limits: Limits, stored: bool) -> tuple[Any, list[str] | None]:
    found = npz.arrays(path, limits)
    numbers = [name for name, array in found.items() if array.ndim == 2 and array.dtype.kind in "fiu"]
    known = [name for name in VECTORS if name in numbers] or numbers
    if not known or (len(known) > 1 and known[0] not in VECTORS):
        raise DataError(
            f"{shown(path)} holds the arrays {', '.join(found)}, and it is not clear which holds the features. Call "
            f"it {VECTORS[0]}."
        )
    names = next((found[name] for name in PATHS if name in found and found[name].dtype.kind in "US"), None)
    values, _ = as_pixels(found[known[0]], f"{shown(path)}: {known[0]}", each="value")
    return values, None if names is None else names.astype(str).tolist()


def _of_parquet(path: Path, limits: Limits, stored: bool) -> tuple[Any, list[str] | None]:
    shards = [file for file, _ in parquet_files.shards(path)]
    schema = parquet_files.opened(shards[0]).schema_arrow
    column = next((name for name in VECTORS if name in schema.names), None)
    images = parquet.read(path, images=column, labels="none", stored=stored, limits=limits, progress=None)
    named = next((name for name in PATHS if name in schema.names and _is_text(schema.field(name).type)), None)
    names = None if named is None else [str(name) for name in parquet_files.column(shards, named, "a path")]
    return images.rows, names


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _of_zarr(path: Path, limits: Limits, stored: bool) -> tuple[Any, list[str] | None]:
    return zarr.read(
        path, images=_zarr_array(path), labels=False, stored=stored, limits=limits, progress=None
    ).pixels, None


def _zarr_array(path: Path) -> str | None:
    """The name of a group's array of vectors; None if there is none, or if the store is not a group."""
    return next((name for name in VECTORS if (path / name).is_dir()), None)


_READERS = {"npy": _of_npy, "npz": _of_npz, "parquet": _of_parquet, "arrow": _of_parquet, "zarr": _of_zarr}

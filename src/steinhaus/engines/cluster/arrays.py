"""Turn Dask collections, arrays and stored rows into Dask arrays of a few parts."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
from dask import delayed

from steinhaus.engines.cluster import tasks
from steinhaus.engines.exact import parts
from steinhaus.errors import DataError

_LARGEST = 256 * 2**20  # bytes: the most that a part may take that is made of several chunks


def collected(x: Any) -> Any:
    """A collection as a Dask array, (n, d), whose chunk sizes are known.

    Raises
    ------
    DataError
        The array is not (n, d), is empty, or does not hold real numbers; or a column of a DataFrame is not numeric.
    """
    if hasattr(x, "to_dask_array"):
        others = [str(name) for name, dtype in x.dtypes.items() if dtype.kind not in "buif"]
        if others:
            raise DataError(f"Columns must be numeric, but these are not: {', '.join(others)}. Leave them out.")
        if not all(isinstance(dtype, np.dtype) for dtype in x.dtypes):  # pandas' and Arrow's own types
            x = x.map_partitions(_as_floats, meta=_as_floats(x._meta))
        x = x.to_dask_array(lengths=True)
    if x.ndim != 2:
        raise DataError(f"Points must be rows, (n, d), but the array has shape {x.shape}. Reshape it.")
    if x.dtype.kind not in "buif":
        raise DataError(f"Points must be real numbers, but the array has dtype {x.dtype}.")
    if np.isnan(x.shape[0]):
        x = x.compute_chunk_sizes()
    if not x.shape[0] or not x.shape[1]:
        raise DataError(f"There are no points in an array of shape {x.shape}.")
    small = x.dtype.kind == "b" or x.dtype == np.float16
    return x.astype(np.uint8 if x.dtype.kind == "b" else np.float32) if small else x


def _as_floats(frame: Any) -> Any:
    """The frame in float64, as scikit-learn converts it; missing values become NaN."""
    return type(frame)(frame.to_numpy(np.float64, na_value=np.nan), index=frame.index, columns=frame.columns)


def grouped(x: Any, threads: int) -> tuple[Any, list[str]]:
    """Put the chunks of an array together into fewer chunks of whole rows, so that messages take little time.

    Parameters
    ----------
    x
        (n, d) Dask array.
    threads
        The threads of all workers. The number of chunks is this number, or a multiple, or as many as there are.

    Returns
    -------
    tuple
        The array, and notes for the user on what was put together.
    """
    notes = []
    if x.numblocks[1] > 1:
        notes.append(f"The chunks split the {x.shape[1]} features; they are put together.")
    there = x.chunks[0]
    chunks = np.diff(parts.evened(np.cumsum([0, *there]), _wanted(x, threads))).tolist()
    if len(chunks) < len(there):
        notes.append(f"{len(there)} chunks are put together into {len(chunks)}.")
    return x.rechunk((tuple(chunks), (x.shape[1],))), notes


def stretches(rows: Any, threads: int) -> tuple[Any, parts.Layout]:
    """Rows, (n, d) in memory or stored, as a Dask array whose chunks are consecutive rows; and which points they hold.

    threads: the threads of all workers.
    """
    stored = hasattr(rows, "source")
    whole = rows.source if stored else rows
    bounds = whole.bounds if stored else np.array([0, len(rows)])
    layout = parts.Layout(parts.evened(bounds, _wanted(whole, threads)), rows.take if stored else None)
    between = zip(layout.firsts.tolist(), layout.ends.tolist(), strict=True)
    if stored:
        pieces = [
            delayed(tasks.read, pure=False)(rows.source, first, end, layout.picks(part))
            for part, (first, end) in enumerate(between)
        ]
    else:
        pieces = [delayed(tasks.given, pure=False)(rows[first:end]) for first, end in between]
    sizes = layout.sizes.tolist()
    arrays = [
        da.from_delayed(piece, (size, whole.shape[1]), whole.dtype) for piece, size in zip(pieces, sizes, strict=True)
    ]
    return da.concatenate(arrays), layout


def _wanted(rows: Any, threads: int) -> int:
    """The number of parts: one a thread, or several a thread if one part would exceed `_LARGEST`."""
    n, d = rows.shape
    return threads * -(-int(n) * int(d) * int(rows.dtype.itemsize) // (_LARGEST * threads))

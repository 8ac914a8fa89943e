"""Parquet files: one, or a folder of them.

A row is a list, a set of columns, or an encoded picture (a struct of bytes and path).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steinhaus.errors import DataError
from steinhaus.images import columns as of_table
from steinhaus.images import parquet_layout
from steinhaus.images.cells import is_date, is_spelt_otherwise, spelt_otherwise
from steinhaus.images.collection import Beside, Images, Skipped, checked_weights
from steinhaus.images.columns import Wanted
from steinhaus.images.encoded import Encoded, decode_all
from steinhaus.images.files import damage_named, shown, source_name
from steinhaus.images.limits import Limits
from steinhaus.images.parquet_files import check_sizes, column, layout_of, opened, read_group, shards, texts
from steinhaus.images.parquet_layout import Layout
from steinhaus.images.parquet_store import ParquetStore
from steinhaus.images.parts import ORDER, Part, given, one_part
from steinhaus.images.pictures import Look
from steinhaus.images.pixels import as_pixels
from steinhaus.images.progress import Progress
from steinhaus.images.staying import stored_images
from steinhaus.wording import option

_CERTAIN = 10  # with at least so many rows, a text column without repeats holds names, not labels


def read(
    path: Path,
    *,
    images: str | None = None,
    labels: Any = None,
    columns: str | Sequence[str | int] | None = None,
    without: Sequence[str | int] = (),
    shape: tuple[int, ...] | None = None,
    full_scale: float | None = None,
    stored: bool | None = None,
    mode: str | None = None,
    size: tuple[int, int] | None = None,
    fit: str = "crop",
    background: int = 0,
    weights: str | int | None = None,
    limits: Limits,
    progress: Progress | None,
) -> Images:
    """Read a Parquet file, or a folder of them in the natural order of their names.

    Parameters
    ----------
    images
        The column of pixels: lists, tensors or encoded pictures. Default: a column named pixels, image, x, embedding or
        similar, or the only such column; else all columns of numbers except the label.
    labels
        The column of labels, by name or number. Default: a column named label, class, target, y or digit, or one that
        the file marks as classes. "none": no labels.
    columns, without
        See `table.read`.
    shape, full_scale
        As in `Images.from_arrays`.
    stored
        Whether the pixels stay on disk and are read one row group at a time. Default: only if they exceed the memory
        limit. Needs uint8, float32 or float64; encoded pictures cannot stay on disk.
    mode, size, fit, background
        For encoded pictures: see `folder.read`.
    weights
        The column of weights, by name or number. Default: no weights. They are read into memory, 8 bytes each.

    Raises
    ------
    DataError
        If a file cannot be read, or has other columns than the first. The message names the file.
    """
    pairs = shards(path)
    files = [file for file, _ in pairs]
    wanted = Wanted(columns, without)
    layout = layout_of(files, images, labels, wanted, weights)
    check_sizes(files, layout, limits)
    if layout.kind == "encoded":
        if stored:
            raise DataError(
                f"{shown(path)} holds encoded pictures, which must be decoded once. Import them first: "
                f"steinhaus data import {shown(path)} pictures.zarr"
            )
        return _decoded(path, pairs, layout, Look(mode, size, fit, background), limits, progress)
    if layout.kind == "wide" and not layout.asked:
        layout = features(files, layout)
    if layout.by_text:
        layout = named_or_left_out(files, layout)
    store = ParquetStore(files, layout)
    n_bytes = store.shape[0] * store.shape[1] * store.dtype.itemsize
    stays = n_bytes > limits.memory if stored is None else stored
    if not stays:
        limits.check_memory(shown(path), n_bytes)
    made = _opened(path, pairs, layout, store, shape, full_scale, stays)
    return replace(made, beside=_beside(pairs, layout, (), limits))


def _decoded(
    path: Path,
    pairs: Sequence[tuple[Path, Part | None]],
    layout: Layout,
    look: Look,
    limits: Limits,
    progress: Progress | None,
) -> Images:
    """The encoded pictures of some files."""
    pictures = encoded(pairs, layout.columns[0], layout.label)
    found = decode_all(pictures, look, source_name(path), limits, progress, label_names=layout.label_names)
    beside = _beside(pairs, layout, found.skipped, limits)
    if layout.weight is not None:
        found = _with_weights(found, column([file for file, _ in pairs], layout.weight, "a weight"))
    return replace(found, notes=(*layout.notes, *found.notes), beside=beside)


def _opened(
    path: Path,
    pairs: Sequence[tuple[Path, Part | None]],
    layout: Layout,
    store: ParquetStore,
    shape: tuple[int, ...] | None,
    full_scale: float | None,
    stays: bool,
) -> Images:
    """The rows of a store as images, on disk if the pixels stay there."""
    files = [file for file, _ in pairs]
    labelled = None if layout.label is None else column(files, layout.label)
    weighed = None if layout.weight is None else column(files, layout.weight, "a weight")
    given_train, given_val, notes = _split(pairs)
    names = layout.columns if layout.kind == "wide" else None
    image = tuple(store.image) if layout.kind == "list" else (store.shape[1],)
    shape = shape or (of_table.picture_shape(names, store.shape[1]) if names is not None else None)
    plain = names is None or of_table.are_pixels(names, shape)
    given: dict[str, Any] = {
        "name": source_name(path), "shape": shape or image, "label_names": layout.label_names,
        "full_scale": full_scale if plain or full_scale is not None else 1.0, "given_train": given_train,
        "given_val": given_val, "columns": None if plain else names, "notes": [*layout.notes, *notes],
    }  # fmt: skip
    if stays:
        made = stored_images(store, image, labelled, **given)
        return made if weighed is None else _with_weights(made, weighed)
    made = Images.from_arrays(store.read(0, store.shape[0]), labelled, weights=weighed, **given)
    if names is None or plain:
        return made
    hints = [*of_table.words_about(names, made.pixels), of_table.apart(names, made.pixels)]
    return replace(made, notes=(*made.notes, *(hint for hint in hints if hint is not None)))


def _beside(
    pairs: Sequence[tuple[Path, Part | None]], layout: Layout, skipped: Sequence[Skipped], limits: Limits
) -> Beside | None:
    """The column of vectors beside the pictures, without the rows of skipped pictures."""
    if layout.beside is None:
        return None
    column, files = layout.beside, [file for file, _ in pairs]

    def vectors() -> NDArray[Any]:
        of_column = layout_of(files, column, "none", Wanted(None, ()))
        check_sizes(files, of_column, limits)
        store = ParquetStore(files, of_column)
        limits.check_memory(f"column {column}", store.shape[0] * store.shape[1] * store.dtype.itemsize)
        values, _ = as_pixels(store.read(0, store.shape[0]), f"column {column}")
        out = {each.file for each in skipped}
        places = (place for file in files for place in _places(file))
        return values[[place not in out for place in places]] if out else values

    return Beside(f"column {column}", vectors)


def _places(file: Path) -> Iterator[str]:
    """A name for each row of a file, for messages."""
    metadata = opened(file).metadata
    for group in range(opened(file).num_row_groups):
        for row in range(metadata.row_group(group).num_rows):
            yield _place(file, group, row)


def _place(file: Path, group: int, row: int) -> str:
    return f"{file.name}, row group {group}, row {row}"


def _with_weights(images: Images, weights: NDArray[Any]) -> Images:
    """Pictures with their weights. No picture may have been skipped."""
    # in: weights (n,)
    if images.skipped:
        raise DataError(
            f"{images.name}: {images.skipped[0].file} cannot be read, so the weights no longer match the pictures. "
            "Repair it, or remove its row."
        )
    return replace(images, weights=checked_weights(weights, images.n, images.name))


def named_or_left_out(files: Sequence[Path], layout: Layout) -> Layout:
    """Take a text column at an end as labels, unless values are missing or all different."""
    label = layout.label or ""
    values = [text for file in files for text in texts(file, label)]
    first = next((text for text in values if text is not None), "")
    if is_spelt_otherwise(first):
        raise DataError(spelt_otherwise(shown(files[0]), label, first))
    if is_date(first):
        why = "which holds text"
    elif None in values:
        why = "which holds text and lacks some values"
    elif len(values) >= _CERTAIN and len(set(values)) == len(values):
        why = "a text column in which all rows differ"
    else:
        note = f'Labels: column "{label}", which holds text. If it holds no labels: {option("labels", repr("none"))}.'
        return replace(layout, notes=(*layout.notes, note))
    note = f'Left out: column "{label}", {why}. To use it as labels: {option("labels", repr(label))}.'
    return replace(layout, label=None, notes=(*layout.notes, note))


def features(files: Sequence[Path], layout: Layout) -> Layout:
    """The columns of numbers without those that number the rows, with a note for each that is left out."""
    if of_table.are_numbered(layout.columns):
        return layout
    kept, notes = list(layout.columns), list(layout.notes)
    for name in layout.columns:
        kind = opened(files[0]).schema_arrow.field(name).type
        if of_table.identifies(name) is False and not str(kind).startswith(("int", "uint")):
            continue
        if (note := of_table.check_identifier(name, column(files, name, "a number"), shown(files[0]))) is not None:
            kept.remove(name)
            notes.append(note)
    if (note := of_table.clustered_labels(kept)) is not None:
        notes.append(note)
    if not kept:
        raise DataError(
            f"{shown(files[0])}: no column is left to cluster. Name the features: {option('columns', '...')}"
        )
    kinds = [parquet_layout.dtype_of(opened(files[0]).schema_arrow.field(name).type) for name in kept]
    return replace(layout, columns=tuple(kept), shape=(len(kept),), dtype=np.result_type(*kinds), notes=tuple(notes))


def _split(pairs: Sequence[tuple[Path, Part | None]]) -> tuple[int | None, int, tuple[str, ...]]:
    """The source's own split, from the number of rows in the files of each part."""
    parts = [part for _, part in pairs if part is not None]
    if not parts:
        return None, 0, ()
    sizes = [0, 0, 0]
    for file, part in pairs:
        sizes[ORDER.index(part or "train")] += opened(file).metadata.num_rows
    return *given(sizes), one_part(parts)


def encoded(files: Sequence[tuple[Path, Part | None]], column: str, label: str | None) -> Iterator[Encoded]:
    """Yield the encoded pictures of some files."""
    for file, part in files:
        for group in range(opened(file).num_row_groups):
            table = read_group(file, group, [column, *([label] if label else [])])
            with damage_named(f"{shown(file)}, row group {group}", "Parquet"):
                names = table.column(label).to_pylist() if label else [None] * len(table)
                pictures = table.column(column).to_pylist()
            for row, (picture, name) in enumerate(zip(pictures, names, strict=True)):
                where = _place(file, group, row)
                yield Encoded(where, _content(picture, file, where), name, part)


def _content(picture: dict[str, Any] | bytes | None, file: Path, where: str) -> bytes | Path:
    """The bytes of a picture, or its file, which lies beside this one or below."""
    if isinstance(picture, bytes):
        return picture
    if picture and picture["bytes"] is not None:
        return bytes(picture["bytes"])
    name = str(picture.get("path") or "") if picture else ""
    place = PurePosixPath(name)
    if place.is_absolute() or ".." in place.parts:
        raise DataError(
            f"{where}: its picture is {shown(name)!r}, which points outside of the folder. Such files are not opened."
        )
    return file.parent / place if name else b""

"""Parquet files, one or a folder of them.

Rows are lists, wide columns, or encoded pictures (a struct of bytes and path).
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

_CERTAIN = 10  # rows from which on a column of text without two rows alike is one of names, not of labels


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
    """Read a Parquet file or a folder of them, shard after shard in the natural order of their names.

    Parameters
    ----------
    images
        The column of pixels, a list, a tensor or an encoded picture each; by default one called pixels, image, x,
        embedding or the like, or the only one that may be; or else all columns of numbers but the label's.
    labels
        The column of labels, by name or number; by default label, class, target, y or digit, or the one of which the
        file says that it holds classes. "none": none.
    columns, without
        See `table.read`.
    shape, full_scale
        As in `Images.from_arrays`.
    stored
        Whether the pixels stay where they are and are read row group by row group. None: where they are over the
        limit of memory. Only uint8, float32 and float64 can; encoded pictures can't.
    mode, size, fit, background
        Of encoded pictures: see `folder.read`.
    weights
        The column of weights, by name or number. They are read into memory, 8 bytes each.

    Raises
    ------
    DataError
        With the shard, where one has other columns than the first or cannot be read.
    """
    pairs = shards(path)
    files = [file for file, _ in pairs]
    wanted = Wanted(columns, without)
    layout = layout_of(files, images, labels, wanted, weights)
    check_sizes(files, layout, limits)
    if layout.kind == "encoded":
        if stored:
            raise DataError(
                f"{shown(path)} holds encoded pictures, which are not decoded again and again. Import them first: "
                f"steinhaus data import {shown(path)} pictures.zarr"
            )
        look = Look(mode, size, fit, background)
        found = decode_all(
            encoded(pairs, layout.columns[0], layout.label), look, source_name(path), limits, progress,
            label_names=layout.label_names,
        )  # fmt: skip
        beside = _beside(pairs, layout, found.skipped, limits)
        if layout.weight is not None:
            found = _with_weights(found, column(files, layout.weight, "a weight"))
        return replace(found, notes=(*layout.notes, *found.notes), beside=beside)
    if layout.kind == "wide" and not layout.asked:
        layout = features(files, layout)
    if layout.by_text:
        layout = named_or_left_out(files, layout)
    labelled = None if layout.label is None else column(files, layout.label)
    store = ParquetStore(files, layout)
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
    n_bytes = store.shape[0] * store.shape[1] * store.dtype.itemsize
    if not (n_bytes > limits.memory if stored is None else stored):
        limits.check_memory(shown(path), n_bytes)
        weighed = None if layout.weight is None else column(files, layout.weight, "a weight")
        made = Images.from_arrays(store.read(0, store.shape[0]), labelled, weights=weighed, **given)
        made = replace(made, beside=_beside(pairs, layout, (), limits))
        if names is None or plain:
            return made
        hints = [*of_table.words_about(names, made.pixels), of_table.apart(names, made.pixels)]
        return replace(made, notes=(*made.notes, *(hint for hint in hints if hint is not None)))
    made = replace(stored_images(store, image, labelled, **given), beside=_beside(pairs, layout, (), limits))
    return made if layout.weight is None else _with_weights(made, column(files, layout.weight, "a weight"))


def _beside(
    pairs: Sequence[tuple[Path, Part | None]], layout: Layout, skipped: Sequence[Skipped], limits: Limits
) -> Beside | None:
    """The column of vectors beside the pictures, without the rows of those that were skipped."""
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
    """What to call each row of a file."""
    metadata = opened(file).metadata
    for group in range(opened(file).num_row_groups):
        for row in range(metadata.row_group(group).num_rows):
            yield _place(file, group, row)


def _place(file: Path, group: int, row: int) -> str:
    return f"{file.name}, row group {group}, row {row}"


def _with_weights(images: Images, weights: NDArray[Any]) -> Images:
    """Pictures with their weights; all must have been read."""
    if images.skipped:
        raise DataError(
            f"{images.name}: {images.skipped[0].file} cannot be read, so that weights do not belong to pictures. Mend "
            "it, or leave its row out."
        )
    return replace(images, weights=checked_weights(weights, images.n, images.name))


def named_or_left_out(files: Sequence[Path], layout: Layout) -> Layout:
    """A column of text at an end holds labels, as in tables of text, but where values are missing or all differ."""
    label = layout.label or ""
    values = [text for file in files for text in texts(file, label)]
    first = next((text for text in values if text is not None), "")
    if is_spelt_otherwise(first):
        raise DataError(spelt_otherwise(shown(files[0]), label, first))
    if is_date(first):
        why = "which holds text"
    elif None in values:
        why = "which holds text, and of which some values are missing"
    elif len(values) >= _CERTAIN and len(set(values)) == len(values):
        why = "of text, of which no two rows are alike"
    else:
        note = f'Labels: column "{label}", which holds text. If it is none: {option("labels", repr("none"))}.'
        return replace(layout, notes=(*layout.notes, note))
    note = f'Left out: column "{label}", {why}; to take it as labels: {option("labels", repr(label))}.'
    return replace(layout, label=None, notes=(*layout.notes, note))


def features(files: Sequence[Path], layout: Layout) -> Layout:
    """The columns of numbers without those that number the rows, each with a word."""
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
            f"{shown(files[0])}: no column is left to cluster. Name those that are features: {option('columns', '...')}"
        )
    kinds = [parquet_layout.dtype_of(opened(files[0]).schema_arrow.field(name).type) for name in kept]
    return replace(layout, columns=tuple(kept), shape=(len(kept),), dtype=np.result_type(*kinds), notes=tuple(notes))


def _split(pairs: Sequence[tuple[Path, Part | None]]) -> tuple[int | None, int, tuple[str, ...]]:
    """The source's own split, by the rows of the files of each part."""
    parts = [part for _, part in pairs if part is not None]
    if not parts:
        return None, 0, ()
    sizes = [0, 0, 0]
    for file, part in pairs:
        sizes[ORDER.index(part or "train")] += opened(file).metadata.num_rows
    return *given(sizes), one_part(parts)


def encoded(files: Sequence[tuple[Path, Part | None]], column: str, label: str | None) -> Iterator[Encoded]:
    """The encoded pictures of some files, one after the other."""
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
    """The bytes of a picture, or where they are: a file beside this one, or below."""
    if isinstance(picture, bytes):
        return picture
    if picture and picture["bytes"] is not None:
        return bytes(picture["bytes"])
    name = str(picture.get("path") or "") if picture else ""
    place = PurePosixPath(name)
    if place.is_absolute() or ".." in place.parts:
        raise DataError(f"{where}: its picture is {shown(name)!r}, which points outside; no such file is opened.")
    return file.parent / place if name else b""

"""Find the role of each column of a Parquet or Arrow table, from its schema and metadata."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from steinhaus.errors import DataError
from steinhaus.images.asking import NoSuchNameError, is_none
from steinhaus.images.columns import Wanted, end_or_place_of, labels_among, place_of
from steinhaus.wording import option

PIXELS = (
    "pixels", "image", "images", "img", "x", "data", "embedding", "embeddings", "vector", "vectors", "picture", "photo",
    "features",
)  # fmt: skip
ENCODED = (*PIXELS, "jpg", "jpeg", "png", "webp", "bmp", "tif", "tiff", "bytes", "content")
VECTORS = ("embeddings", "embedding", "features", "vectors", "vector")  # names of vectors beside pictures
_LONGEST = 1 << 20  # longest metadata document that is read, in bytes


@dataclass(frozen=True)
class Layout:
    """The roles of a table's columns."""

    kind: str  # "list" (or a tensor), "wide" or "encoded"
    columns: tuple[str, ...]
    shape: tuple[int, ...]  # of one row's values; (): known only when rows are read
    dtype: np.dtype[Any]
    label: str | None
    label_names: tuple[str, ...] | None = None  # if labels are indices into these
    notes: tuple[str, ...] = ()
    asked: bool = False  # the user named the columns
    beside: str | None = None  # the column of vectors beside the pictures
    weight: str | None = None  # the column of weights
    by_text: bool = False  # the label was chosen because it is a text column at an end

    @property
    def d(self) -> int:
        """The number of values per row; 0: known only when rows are read."""
        return math.prod(self.shape) if self.shape else 0


def layout_of(
    schema: Any, name: str, images: str | None, labels: Any, wanted: Wanted, weights: str | int | None = None
) -> Layout:
    """Find the layout of a table from its schema."""
    features, index = _features(schema), _index(schema)
    weight = None if weights is None else str(schema.names[end_or_place_of(weights, schema.names, name)])
    label, note = _label(schema, name, labels, features, wanted)
    of_label = features.get(label, {}) if label is not None else {}
    label_names = _class_names(of_label)
    chosen = _pixels(schema, name, images, label, wanted)
    beside = None if chosen is None or chosen in VECTORS else _vectors(schema, label)
    by_text = chosen is None and label is None and labels is None and note is None
    if by_text:
        label = _text_at_an_end(schema, [*index, weight], wanted, name)
    if chosen is not None:
        layout = _of_column(schema, name, chosen, label)
        left = [each for each in schema.names if each not in (chosen, label, weight, beside) and each not in index]
        notes = [note, _left_out(left, "beside the column of pixels"), _left_out(index, "an index")]
    else:
        if label is not None and label == weight:
            raise DataError(f'{name}: column "{weight}" is the label, so it cannot hold the weights, too.')
        layout, notes = _wide(schema, name, label, weight, index, wanted)
        notes = [note, *notes]
    return Layout(
        layout.kind, layout.columns, layout.shape, layout.dtype, label, label_names,
        tuple(each for each in notes if each), wanted.columns is not None, beside, weight,
        by_text and label is not None,
    )  # fmt: skip


def _vectors(schema: Any, label: str | None) -> str | None:
    """The column of vectors, found by its name; None if there is none."""
    for each in schema.names:
        inner, shape = values_of(schema.field(each).type)
        if each != label and each.lower() in VECTORS and len(shape) == 1 and _is_number(inner):
            return str(each)
    return None


def is_encoded(kind: Any) -> bool:
    """Whether a column of this type holds encoded pictures."""
    import pyarrow as pa

    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind))


def values_of(kind: Any) -> tuple[Any, tuple[int, ...]]:
    """The value type and the shape of nested lists or of a tensor; a side that differs between rows is -1.

    Examples
    --------
    >>> import pyarrow as pa
    >>> values_of(pa.list_(pa.list_(pa.uint8()), 3))
    (DataType(uint8), (3, -1))
    """
    import pyarrow as pa

    shape: list[int] = []
    if isinstance(kind, pa.BaseExtensionType):
        if hasattr(kind, "shape") and getattr(kind, "permutation", None) in (None, list(range(len(kind.shape)))):
            return kind.value_type, tuple(kind.shape)
        kind = kind.storage_type
    while _is_list(kind):
        shape.append(kind.list_size if pa.types.is_fixed_size_list(kind) else -1)
        kind = kind.value_type
    return kind, tuple(shape)


def _is_list(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _is_number(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind))


def is_decimal(kind: Any) -> bool:
    """Whether a column of this type holds decimal numbers."""
    import pyarrow as pa

    return bool(pa.types.is_decimal(kind))


def dtype_of(kind: Any) -> np.dtype[Any]:
    """The NumPy type of a column of numbers."""
    return np.dtype(np.float64 if is_decimal(kind) else kind.to_pandas_dtype())


def _text_at_an_end(schema: Any, others: Sequence[str | None], wanted: Wanted, name: str) -> str | None:
    """The first or the last column, if it is the only text column and the user does not name it."""
    import pyarrow as pa

    out, asked = wanted.left_out(schema.names, name), wanted.by_name(schema.names, name)
    names = [each for place, each in enumerate(schema.names) if each not in others and place not in (*out, *asked)]
    found = []
    for each in dict.fromkeys(names[:1] + names[-1:]):
        kind = schema.field(each).type
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
            found.append(str(each))
    return found[0] if len(found) == 1 else None


def _is_pixels(kind: Any) -> bool:
    """Whether a column of this type may hold images: lists of numbers, tensors or encoded pictures."""
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return any(kind.field(place).name == "bytes" for place in range(kind.num_fields))
    inner, shape = values_of(kind)
    return is_encoded(kind) or (bool(shape) and _is_number(inner))


def _pixels(schema: Any, name: str, images: str | None, label: str | None, wanted: Wanted) -> str | None:
    """The column of images; None if all columns of numbers together are the features."""
    if images is not None:
        if images not in schema.names:
            raise DataError(f"{name} has no column {images!r}; it has {', '.join(schema.names[:8])}.")
        return images
    if wanted.columns is not None:
        return None
    there: list[str] = [each for each in schema.names if each != label and _is_pixels(schema.field(each).type)]
    for each in there:
        if each.lower() in (ENCODED if is_encoded(schema.field(each).type) else PIXELS):
            return each
    if len(there) > 1:
        raise DataError(
            f"{name} has several columns that may hold images or vectors: {', '.join(there[:8])}. Name one: "
            f"{option('images', repr(there[0]))}."
        )
    return str(there[0]) if there else None


def _of_column(schema: Any, name: str, chosen: str, label: str | None) -> Layout:
    """The layout of one column of images."""
    import pyarrow as pa

    kind = schema.field(chosen).type
    if pa.types.is_struct(kind) or is_encoded(kind):
        if not _is_pixels(kind):
            raise DataError(
                f"{name}: column {chosen} is a struct without bytes, but a picture is a struct of bytes and path."
            )
        return Layout("encoded", (chosen,), (), np.dtype(np.uint8), label)
    inner, shape = values_of(kind)
    if not shape or not _is_number(inner):
        raise DataError(f"{name}: column {chosen} holds {kind}, neither lists of numbers nor pictures.")
    if any(side < -1 or side == 0 for side in shape):
        raise DataError(f"{name}: column {chosen} declares lists of {min(shape):,} values: the file is damaged.")
    return Layout("list", (chosen,), () if -1 in shape else shape, np.dtype(inner.to_pandas_dtype()), label)


def _wide(
    schema: Any, name: str, label: str | None, weight: str | None, index: Sequence[str], wanted: Wanted
) -> tuple[Layout, list[str | None]]:
    """The layout in which each column of numbers is a feature."""
    out = wanted.left_out(schema.names, name)
    asked = wanted.named(schema.names, name)
    places = range(len(schema.names)) if asked is None else asked
    kept = [
        each
        for place in places
        if place not in out
        and (each := schema.names[place]) not in (label, weight)
        and (asked is not None or each not in index)
    ]
    kinds = {each: schema.field(each).type for each in kept}
    columns = tuple(each for each in kept if _is_feature(kinds[each]))
    if not columns:
        raise DataError(
            f"{name} has no column of pixels; it has {', '.join(schema.names[:8])}. Name it: {option('images', '...')}."
        )
    others = [each for each in kept if each not in columns]
    by_name = [schema.names[place] for place in wanted.by_name(schema.names, name)]
    if both := [each for each in by_name if each in (label, weight)]:
        what = "the column of weights" if both[0] == weight else "the label"
        raise DataError(f'{name}: column "{both[0]}" is {what}, so it cannot be a feature.')
    if others and by_name:
        raise DataError(f"{name}: column {others[0]} holds {schema.field(others[0]).type}, which cannot be a feature.")
    dtype = np.result_type(*(dtype_of(kinds[each]) for each in columns))
    notes = [_left_out(others, "not numbers"), _left_out(() if asked is not None else index, "an index")]
    return Layout("wide", columns, (len(columns),), dtype, None), notes


def _is_feature(kind: Any) -> bool:
    """Whether a column of this type can be one feature."""
    return (_is_number(kind) and str(kind) != "bool") or is_decimal(kind)


def _left_out(columns: Sequence[str], why: str) -> str | None:
    """The note about columns that are left out."""
    if not columns:
        return None
    listed = ", ".join(columns[:6]) + (f" and {len(columns) - 6} more" if len(columns) > 6 else "")
    return f"Left out: {'column' if len(columns) == 1 else 'columns'} {listed} ({why})."


def _label(
    schema: Any, name: str, labels: Any, features: dict[str, Any], wanted: Wanted
) -> tuple[str | None, str | None]:
    """The column of labels, and a note about it."""
    if is_none(labels):
        return None, None
    if labels is not None and not isinstance(labels, bool):
        if labels in ("first", "last") and labels not in schema.names:
            return schema.names[0 if labels == "first" else -1], None
        try:
            return schema.names[place_of(labels, schema.names, name)], None
        except DataError:
            known = ", ".join(schema.names[:8])
            raise NoSuchNameError(f"{name} has no column {labels!r}; it has {known}.") from None
    asked = [schema.names[place] for place in wanted.by_name(schema.names, name)]
    scalar = [
        each for each in schema.names if not _is_pixels(schema.field(each).type)
    ]  # a list named x is not a coordinate
    named = [each for each in labels_among(scalar) if each not in asked]
    classes = [each for each, about in features.items() if _class_names(about) and each in schema.names]
    if named:
        return named[0], None
    if len(classes) > 1:
        way = option("labels", repr(classes[0]))
        return None, f"Several columns hold labels, {', '.join(classes)}, so none is used. To use one: {way}."
    return (classes[0] if classes else None), None


def _document(schema: Any, key: bytes) -> dict[str, Any]:
    """A JSON document in a schema's metadata; empty if none can be read."""
    data = (schema.metadata or {}).get(key, b"")
    if not data or len(data) > _LONGEST:
        return {}
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _features(schema: Any) -> dict[str, Any]:
    """The description of each column that the library `datasets` writes."""
    info = _document(schema, b"huggingface").get("info")
    features = info.get("features") if isinstance(info, dict) else None
    return {str(k): v for k, v in features.items() if isinstance(v, dict)} if isinstance(features, dict) else {}


def _class_names(about: dict[str, Any]) -> tuple[str, ...] | None:
    """The names of the classes in a column of numbers."""
    names: Any = about.get("names")
    if isinstance(names, dict):  # {"0": "cat", ...}
        names = list(names.values())
    if about.get("_type") != "ClassLabel" or not isinstance(names, list) or not names:
        return None
    return tuple(str(each) for each in names)


def _index(schema: Any) -> tuple[str, ...]:
    """The columns to which pandas or Dask wrote a frame's index."""
    listed = _document(schema, b"pandas").get("index_columns")
    known = {each for each in listed if isinstance(each, str)} if isinstance(listed, list) else set()
    known |= {each for each in schema.names if each.startswith("__index_level_") or each == "__null_dask_index__"}
    return tuple(each for each in schema.names if each in known)

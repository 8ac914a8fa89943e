"""Decode a set once into a Zarr store, which can be read many times. An interrupted import can resume.

A journal beside the store has one line for every chunk that is complete. Chunks after a crash are written again.
The journal and the store keep a fingerprint of the set: names, sizes and times of files, or the digest of arrays.
An import does not resume if the set has changed.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steinhaus.errors import DataError
from steinhaus.images import folder, parquet, parquet_files, tar
from steinhaus.images.asking import is_none
from steinhaus.images.collection import Images, Skipped
from steinhaus.images.columns import Wanted
from steinhaus.images.encoded import Encoded, differing, pictures_of, split_of, whole
from steinhaus.images.files import shown, source_name
from steinhaus.images.folder import stopped
from steinhaus.images.journal import Written, append, journal_of, read_line, resumed
from steinhaus.images.labels import Int64, encode
from steinhaus.images.limits import DEFAULT_LIMITS, Limits
from steinhaus.images.opening import open_images
from steinhaus.images.parts import Part
from steinhaus.images.pictures import Look
from steinhaus.images.progress import Progress
from steinhaus.images.sniffing import identify
from steinhaus.images.zarr import ABOUT

_CHUNK = 64 << 20  # bytes per chunk, about: a chunk is a block of `BlockPoints`, so it can be mapped instead of copied


def import_images(
    source: str | Path,
    store: str | Path,
    *,
    mode: str | None = None,
    size: tuple[int, int] | None = None,
    fit: str = "crop",
    background: int = 0,
    strict: bool = False,
    follow_links: bool = False,
    limits: Limits = DEFAULT_LIMITS,
    progress: Progress | None = None,
    **options: Any,
) -> Images:
    """Decode a set into a Zarr store, or resume an import that was interrupted.

    Parameters
    ----------
    source
        A folder of pictures, tar files, Parquet files of encoded pictures; or any other source of `open_images`.
    store
        The folder to write; its name usually ends in .zarr.
    mode, size, fit, background
        For pictures: the common mode ("L" or "RGB"), the common size (width, height) in pixels, how to reach it
        ("crop", "pad" or "stretch"; default "crop"), and the grey value behind transparent pixels and around padded
        pictures (0 to 255; default 0). By default pictures keep their mode and size.
    strict
        Whether a picture that cannot be read is an error. Default False: such pictures are listed in `skipped`.
    follow_links
        Whether to follow symbolic links in a folder. Default False.
    limits
        The largest sizes that are allowed. Default: `Limits()`.
    progress
        A function that is told how far the import is. Default: none.
    **options
        For arrays and tables: the options of `open_images`.

    Returns
    -------
    Images
        The set. Its pixels stay in the store.

    Raises
    ------
    DataError
        If the source cannot be read, the store holds another set, or the store cannot be written. Complete chunks stay,
        and the next import resumes from them.
    """
    target = Path(store).expanduser()
    look = Look(mode, size, fit, background)
    found = _source(source, limits, follow_links)
    if strict and found.left_out:
        raise DataError(stopped(found.left_out[0].file, found.left_out[0].reason))
    if found.pictures is not None and is_none(options.get("labels")):
        del options["labels"]
        bare = (replace(picture, label=None) for picture in found.pictures)
        found = replace(found, pictures=bare, state=[*found.state, "no labels"], label_names=None)
    if found.pictures is not None and options:
        raise DataError(
            f"{found.name} holds encoded pictures, which have no option {', '.join(options)}. Leave it out."
        )
    images = open_images(source, limits=limits, progress=progress, **options) if found.pictures is None else None
    if images is not None and images.weights is not None:
        raise DataError(f"{found.name}: a store has no weights. Study the source itself, or leave weights out.")
    given = found.state if images is None else [images.sha256]
    print_of = hashlib.sha256(json.dumps([found.name, repr(look), given], sort_keys=True).encode()).hexdigest()
    try:
        if _is_complete(target, print_of):
            return _imported(target, limits, [], ())
        skipped: list[Skipped] = []
        if images is not None:
            _write_array(images, target, print_of, progress)
        else:
            skipped = _write_pictures(found, look, target, print_of, strict, limits, progress)
    except OSError as error:
        raise DataError(
            f"{shown(error.filename or target)} cannot be written: {error.strerror or error}. Make room, or choose "
            "another place. The same command resumes where this one stopped."
        ) from error
    return _imported(target, limits, found.left_out + skipped, found.notes if images is None else images.notes)


def _imported(target: Path, limits: Limits, skipped: list[Skipped], notes: tuple[str, ...]) -> Images:
    return replace(open_images(target, stored=True, limits=limits), skipped=tuple(skipped), notes=notes)


@dataclass(frozen=True)
class _Source:
    """The source of an import."""

    name: str
    pictures: Iterator[Encoded] | None  # None for an array
    state: list[Any]  # the fingerprint of the set
    left_out: list[Skipped] = field(default_factory=list)
    notes: tuple[str, ...] = ()
    label_names: tuple[str, ...] | None = None  # if labels are indices into these


def _source(source: str | Path, limits: Limits, follow_links: bool) -> _Source:
    """Find out what kind of source it is."""
    path = Path(source).expanduser()
    kind = identify(path, limits) if os.path.lexists(path) else "array"
    name = source_name(path)
    if kind == "folder":
        there, left_out = folder.found(path, follow_links)
        rows = range(len(there.files))
        names: Sequence[str | None] = there.labels or [None] * len(rows)
        parts: Sequence[Part | None] = there.parts or [None] * len(rows)
        pictures = (Encoded(there.files[row], path / there.files[row], names[row], parts[row]) for row in rows)
        return _Source(name, pictures, _state([path / file for file in there.files], path), left_out, there.notes)
    if kind == "tar":
        shards = tar.shards(path)
        return _Source(name, tar.encoded(shards, True, limits), _state([file for file, _ in shards]))
    if kind in ("parquet", "arrow"):
        shards = parquet_files.shards(path)
        files = [file for file, _ in shards]
        layout = parquet_files.layout_of(files, None, None, Wanted())
        if layout.kind == "encoded":
            encoded = parquet.encoded(shards, layout.columns[0], layout.label)
            return _Source(name, encoded, _state(files), [], layout.notes, layout.label_names)
    return _Source(name, None, [])


def _state(files: list[Path], within: Path | None = None) -> list[Any]:
    """The fingerprint of files, without reading them: name, size, time of the last change in ns."""
    states = ((file, file.stat()) for file in files)
    return [
        [file.name if within is None else str(file.relative_to(within)), state.st_size, state.st_mtime_ns]
        for file, state in states
    ]


def _write_pictures(
    source: _Source,
    look: Look,
    target: Path,
    print_of: str,
    strict: bool,
    limits: Limits,
    progress: Progress | None,
) -> list[Skipped]:
    """Write pictures chunk by chunk, and return those that could not be read."""
    name, pictures = source.name, source.pictures or iter(())
    journal = journal_of(target)
    written = resumed(journal, print_of)
    if strict and written.skipped:
        raise DataError(stopped(written.skipped[0].file, written.skipped[0].reason))
    array: Any = _opened(target) if written.rows else None
    decoded = pictures_of(itertools.islice(pictures, written.taken, None), look, name, limits, progress)
    with journal.open("ab") as lines:
        if not lines.tell():
            append(lines, {"set": print_of})
        block: list[NDArray[np.uint8]] = []
        line: dict[str, Any] = {"taken": 0, "labels": [], "names": [], "skipped": [], "parts": []}
        for picture, pixels in decoded:
            line["taken"] += 1
            if isinstance(pixels, str):
                if strict:
                    raise DataError(stopped(picture.name, pixels))
                line["skipped"].append([picture.name, pixels])
                continue
            if array is None:
                array = _created(target, pixels.shape, pixels.dtype)
            if pixels.shape != array.shape[1:]:
                raise DataError(differing(name, picture.name, pixels.shape, array.shape[1:]))
            block.append(pixels)
            line["labels"].append(picture.label)
            line["names"].append(picture.name)
            line["parts"].append(picture.part)
            if len(block) == array.chunks[0]:
                _put(array, written, block, line, lines)
                block, line = [], {"taken": 0, "labels": [], "names": [], "skipped": [], "parts": []}
        if array is None:
            raise DataError(f"{name}: it holds no picture that can be read.")
        _put(array, written, block, line, lines)
    labels = whole(written.labels, written.names, name)
    given_train, given_val, _ = split_of(written.parts)
    about = {"name": name, "print": print_of, "given_train": given_train, "given_val": given_val}
    _finish(target, labels, about, source.label_names)
    journal.unlink()
    return written.skipped


def _put(array: Any, written: Written, block: list[NDArray[np.uint8]], line: dict[str, Any], lines: Any) -> None:
    """Write a chunk, then its line in the journal."""
    # in: block of pictures, (h, w) or (h, w, 3) uint8 each
    if block:
        array.resize((written.rows + len(block), *array.shape[1:]))
        array[written.rows :] = np.stack(block)
    if line["taken"]:
        append(lines, line)
        read_line(written, line)


def _write_array(images: Images, target: Path, print_of: str, progress: Progress | None) -> None:
    """Write pixels that need no decoding, chunk by chunk."""
    journal = journal_of(target)
    written = resumed(journal, print_of)
    array = _opened(target) if written.taken else _created(target, images.shape, images.pixels.dtype)
    array.resize(images.pixels.shape)
    step = int(array.chunks[0])
    with journal.open("ab") as lines:
        if not lines.tell():
            append(lines, {"set": print_of})
        for first in range(written.taken, images.n, step):
            end = min(first + step, images.n)
            array[first:end] = images.pixels[first:end]
            append(lines, {"taken": end - first, "labels": [], "names": [], "skipped": []})
            if progress is not None:
                progress(f"Writing {shown(target)}", end, images.n, "pictures")
    about = {
        "name": images.name, "print": print_of, "full_scale": images.full_scale, "given_train": images.given_train,
        "given_val": images.given_val, "usual_train": images.usual_train, "columns": images.columns,
        "licence": images.licence, "source": images.source,
    }  # fmt: skip
    _finish(target, images.labels, about, images.label_names)
    journal.unlink()


def _created(target: Path, image: tuple[int, ...], dtype: Any) -> Any:
    """Create the store: an array without images in a new group."""
    zarr = _zarr()
    if target.exists() and not (target / "zarr.json").exists():
        raise DataError(f"{shown(target)} exists, and is not a Zarr store. Choose another name.")
    if _attributes(target).get("complete"):
        raise DataError(f"{shown(target)} holds another set. Choose another store, or remove this one.")
    group = zarr.open_group(target, mode="w", attributes={ABOUT: {"complete": False}})
    rows = max(1, _CHUNK // max(1, int(np.prod(image)) * np.dtype(dtype).itemsize))
    return group.create_array(
        "pixels", shape=(0, *image), chunks=(rows, *image), dtype=dtype, compressors=[zarr.codecs.Crc32cCodec()],
        config={"write_empty_chunks": True},
    )  # fmt: skip


def _opened(target: Path) -> Any:
    return _zarr().open_array(target, path="pixels", mode="r+", config={"write_empty_chunks": True})


def _finish(
    target: Path, labels: list[Any] | Int64 | None, about: dict[str, Any], label_names: tuple[str, ...] | None
) -> None:
    """Write the labels, and mark the store complete. With `label_names`, labels are indices into these."""
    # in: labels (n,)
    group = _zarr().open_group(target, mode="r+")
    if labels is not None:
        indices, names = encode(labels, len(labels), about["name"], label_names)
        group.create_array("labels", data=indices, overwrite=True)
        about = {**about, "label_names": list(names)}
    group.attrs[ABOUT] = {**about, "complete": True}


def _is_complete(target: Path, print_of: str) -> bool:
    about = _attributes(target)
    return bool(about.get("complete")) and about.get("print") == print_of


def _attributes(target: Path) -> dict[str, Any]:
    if not (target / "zarr.json").exists():
        return {}
    return dict(_zarr().open_group(target, mode="r").attrs.get(ABOUT, {}))


def _zarr() -> Any:
    try:
        import zarr
    except ImportError:
        raise DataError("Importing needs the package zarr: pip install 'steinhaus[zarr]'.") from None
    return zarr

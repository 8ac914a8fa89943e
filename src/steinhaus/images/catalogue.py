"""Finds and opens the known sets, which `known` lists."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steinhaus.errors import DataError
from steinhaus.images.collection import Images
from steinhaus.images.files import open_regular, shown
from steinhaus.images.idx import Part, read_parts, upright
from steinhaus.images.known import DIGITS, KNOWN, MNIST, KnownSet
from steinhaus.images.limits import Limits
from steinhaus.images.progress import Progress

DATA_VARIABLE = "STEINHAUS_DATA"


class NotAvailableError(DataError):
    """A known set was found in no folder and cannot be downloaded."""


@dataclass(frozen=True)
class SetStatus:
    """A known set, and whether it opens without a download."""

    known: KnownSet
    ready: bool
    where: str  # the folder, or the package it comes with; if it was not found: the places searched
    looked: tuple[str, ...]  # each folder searched, and what it lacks


def open_known(
    name: str, data: Path | None, limits: Limits, progress: Progress | None, *, download: bool = True
) -> Images:
    """Open a known set.

    Parameters
    ----------
    data
        The folder to search first. Default: the folder that STEINHAUS_DATA names. The user's cache comes next.
    download
        Whether to fetch missing files.

    Raises
    ------
    NotAvailableError
        If the set was not found and cannot be fetched.
    DataError
        If files with the right names are not those of the set.
    """
    if name == "digits":
        return _digits()
    if not KNOWN[name].mirrors:
        return _published(KNOWN[name], data, limits)
    found, looked = _find(MNIST, data)
    if found is None and download:
        found = _downloaded(MNIST, looked, progress)
    if found is None:
        raise NotAvailableError(_nowhere(MNIST, looked, "Downloads are switched off."))
    try:
        return _mnist(found, limits)
    except DataError:
        if not download or next(iter(found.values())).parent != _cache(MNIST):
            raise
    return _mnist(_downloaded(MNIST, looked, progress), limits)  # a damaged file in our own cache is fetched again


def _published(known: KnownSet, data: Path | None, limits: Limits) -> Images:
    """A set that is opened from its published files. The user fetches them."""
    found, looked = _find(known, data)
    if found is None:
        raise NotAvailableError(
            _nowhere(known, looked, f"Steinhaus does not download it. Its files are published with {known.source}.")
        )
    paths = [found[file.name] for file in known.files]
    unheld = []
    for path, file in zip(paths, known.files, strict=True):
        if file.md5 and path.suffix == ".gz":
            with open_regular(path) as stream:
                digest = hashlib.md5(stream.read(file.size + (1 << 20)), usedforsecurity=False).hexdigest()
            if digest != file.md5:
                raise DataError(
                    f"{shown(path)} is not the published {file.name}.gz of {known.name}: its MD5 is {digest}, not "
                    f"{file.md5}. To open another set with the same file names, give its folder as the source."
                )
        else:
            unheld.append(file.name)

    def check(path: Path, head: bytes, values: NDArray[Any]) -> None:
        wrong = known.files[paths.index(path)].fault(len(head) + values.nbytes, "")
        if wrong is not None:
            raise DataError(f"{shown(path)} is not {known.name}'s {path.name}: {wrong}.")

    read = read_parts([Part(paths[0], paths[1]), Part(paths[2], paths[3])], limits, check)
    notes = [*read.notes]
    if unheld:
        why = "are not as they were published" if known.files[0].md5 else "have no published digests"
        notes.append(f"Its files {why}, so only their sizes were checked.")
    return Images.from_arrays(
        upright(read.pixels, known.transpose), read.labels, name=known.name, given_train=read.sizes[0],
        licence=known.licence, source=known.source, notes=notes,
    )  # fmt: skip


def data_status(data: str | os.PathLike[str] | None = None) -> list[SetStatus]:
    """List the known sets, and where their files are.

    A set that is never downloaded is listed only if its files were found. No file is opened.

    Parameters
    ----------
    data
        The folder to search first. Default: the folder that STEINHAUS_DATA names.
    """
    statuses = []
    for known in KNOWN.values():
        if not known.files:
            statuses.append(SetStatus(known, True, "comes with scikit-learn", ()))
            continue
        found, looked = _find(known, None if data is None else Path(data))
        if found is None and not known.mirrors:
            continue  # listed only if the user has its files
        where = str(_cache(known)) if found is None else str(next(iter(found.values())).parent)
        statuses.append(SetStatus(known, found is not None, where, looked))
    return statuses


def _cache(known: KnownSet) -> Path:
    """The folder of downloaded files, in the platform's cache folder."""
    import pooch

    return Path(pooch.os_cache("steinhaus")) / known.name


def _find(known: KnownSet, data: Path | None) -> tuple[dict[str, Path] | None, tuple[str, ...]]:
    """Find all files of a set in one folder; else say what each folder lacks."""
    looked: list[str] = []
    for folder in _folders(known, data):
        found = {file.name: path for file in known.files if (path := _file_in(folder, file.name)) is not None}
        if len(found) == len(known.files):
            return found, tuple(looked)
        missing = ", ".join(file.name for file in known.files if file.name not in found)
        lacks = f"no {missing}" if found else "not there" if os.path.isdir(folder) else "no such folder"
        looked.append(f"{shown(folder)} ({lacks})")
    return None, tuple(looked)


def _folders(known: KnownSet, data: Path | None) -> Iterator[Path]:
    """The folders that may hold the files of a set, in order of preference."""
    named = data or (Path(value) if (value := os.environ.get(DATA_VARIABLE)) else None)
    if named is not None:
        yield named.expanduser() / known.name
        for folder in known.folders:
            yield named.expanduser() / folder
        yield named.expanduser()
    yield _cache(known)


def _file_in(folder: Path, name: str) -> Path | None:
    """A file under any of its names: raw or gzip-compressed, with a dash or a dot."""
    for plain in (name, name.replace("-idx", ".idx")):
        for path in (folder / plain, folder / f"{plain}.gz"):
            if os.path.isfile(path):
                return path
    return None


def _downloaded(known: KnownSet, looked: tuple[str, ...], progress: Progress | None) -> dict[str, Path]:
    """Fetch the files that are missing or damaged in the cache."""
    from steinhaus.images.download import DownloadError, fetch, is_whole

    files = {}
    for file in known.files:
        cached = _file_in(_cache(known), file.name)
        try:
            whole = cached if cached is not None and is_whole(cached, file) else None
            files[file.name] = whole or fetch(file, _cache(known), known.mirrors, progress=progress)
        except DownloadError as error:
            raise NotAvailableError(_nowhere(known, looked, str(error))) from None
    return files


def _nowhere(known: KnownSet, looked: tuple[str, ...], why: str) -> str:
    return (
        f"{known.name} was not found. Looked in {'; '.join(looked)}. {why} To use files of your own, put "
        f"{', '.join(file.name for file in known.files)} (or .gz) into a folder and name it with {DATA_VARIABLE} or "
        f"--data."
    )


def _mnist(found: dict[str, Path], limits: Limits) -> Images:
    files = {found[file.name]: file for file in MNIST.files}
    paths = list(files)

    def check(path: Path, head: bytes, values: NDArray[Any]) -> None:
        """Compare the content with its known digest."""
        digest = hashlib.sha256(head)
        digest.update(values.reshape(-1).view(np.uint8).data)
        wrong = files[path].fault(len(head) + values.nbytes, digest.hexdigest())
        if wrong is not None:
            raise DataError(
                f"{shown(path)} is not MNIST's {files[path].name}: {wrong}. Other sets use the same file names; to "
                f"open one of them, give its folder as the source."
            )

    read = read_parts([Part(paths[0], paths[1]), Part(paths[2], paths[3])], limits, check)
    return Images.from_arrays(
        read.pixels,
        read.labels,
        name=MNIST.name,
        given_train=read.sizes[0],
        usual_train=MNIST.train,
        licence=MNIST.licence,
        source=MNIST.source,
    )


def _digits() -> Images:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return Images.from_arrays(
        bunch.images.astype(np.uint8),
        bunch.target,
        name=DIGITS.name,
        full_scale=16,
        usual_train=DIGITS.train,
        licence=DIGITS.licence,
        source=DIGITS.source,
    )

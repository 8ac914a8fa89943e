"""Download the files of a known set over HTTPS, from several mirrors. Each file is checked before it gets its name."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from pooch import HTTPDownloader

from steinhaus.errors import DataError
from steinhaus.images.files import open_content, shown
from steinhaus.images.known import KnownFile
from steinhaus.images.limits import Limits, size_text
from steinhaus.images.progress import Progress

_ROUNDS = 2  # attempts per mirror
_CHUNK = 1 << 18
_NO_CONNECTION = "the connection failed"


@dataclass(frozen=True)
class Patience:
    """How long to wait for a mirror, in seconds."""

    connect: float = 6.0
    read: float = 30.0  # between two pieces
    whole: float = 900.0  # for one file


class DownloadError(DataError):
    """No mirror gave the right file."""


class _Refused(Exception):
    """The reason why an answer is refused."""


def fetch(
    file: KnownFile,
    folder: Path,
    mirrors: Sequence[str],
    *,
    progress: Progress | None = None,
    patience: Patience = Patience(),
    _plain_hosts: Sequence[str] = (),
) -> Path:
    """Download a file, gzip-compressed or not, into a folder.

    Each mirror is asked in turn, at most twice. The answer goes to a temporary file in the folder. The file is flushed
    and renamed only if its expanded content has the known size and digest. So the final name never holds a wrong file,
    even if two processes download at once.

    Parameters
    ----------
    mirrors
        Addresses of folders that hold `file.name` + ".gz". Only HTTPS is allowed, also after redirects.
    _plain_hosts
        Hosts that tests may ask over plain HTTP.

    Raises
    ------
    DownloadError
        If no mirror gives the right file. The message says what each mirror did.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DownloadError(f"The folder {shown(folder)} cannot be made: {error.strerror}.") from None
    reasons: dict[str, str] = {}
    for _ in range(_ROUNDS):
        for mirror in mirrors:
            address = f"{mirror}{file.name}.gz"
            try:
                return _fetch_from(
                    address, file, folder, progress=progress, patience=patience, plain_hosts=_plain_hosts
                )
            except _Refused as refused:
                reasons[address] = str(refused)
            except requests.ConnectionError as error:
                reasons[address] = f"{_NO_CONNECTION} ({_root_cause(error)})"
            except requests.RequestException as error:
                reasons[address] = str(error)
            except OSError as error:
                raise DownloadError(
                    f"{file.name} cannot be saved in {shown(folder)}: {error.strerror or error}. Make room, or name "
                    f"another folder."
                ) from None
        if all(reason.startswith(_NO_CONNECTION) for reason in reasons.values()):
            break
    tried = "; ".join(f"{address}: {reason}" for address, reason in reasons.items())
    raise DownloadError(f"{file.name} could not be downloaded. {tried}.")


def is_whole(path: Path, file: KnownFile) -> bool:
    """Whether a file has the known content."""
    return _fault(path, file) is None


def _fault(path: Path, file: KnownFile) -> str | None:
    """What is wrong with a file's expanded content, or None. Reads little more than the file should hold."""
    digest, size = hashlib.sha256(), 0
    try:
        with open_content(path, Limits(ratio_free=file.size + _CHUNK)) as content:
            while size <= file.size and (piece := content.read(_CHUNK)):
                digest.update(piece)
                size += len(piece)
    except DataError as error:
        return str(error).replace(shown(path), "it").rstrip(".")
    return file.fault(size, digest.hexdigest())


def _fetch_from(
    address: str,
    file: KnownFile,
    folder: Path,
    *,
    progress: Progress | None,
    patience: Patience,
    plain_hosts: Sequence[str],
) -> Path:
    """Ask one mirror."""
    with _temporary(folder, file.name) as (part, handle):
        with os.fdopen(handle, "wb") as out:
            sink = _Sink(out, file, progress, time.monotonic() + patience.whole)

            def watch(response: requests.Response, *_: Any, **__: Any) -> None:
                """Check every answer, also redirects, before its body is read."""
                _check_address(response.url, plain_hosts)
                if response.is_redirect:
                    _check_address(urljoin(response.url, response.headers["Location"]), plain_hosts)
                elif (length := response.headers.get("Content-Length", "")).isdigit():
                    sink.total = int(length)

            _check_address(address, plain_hosts)
            ask = HTTPDownloader(
                chunk_size=_CHUNK, timeout=(patience.connect, patience.read), hooks={"response": watch}
            )
            ask(address, sink, None)
            out.flush()
            os.fsync(out.fileno())
        wrong = _fault(part, file)
        if wrong is not None:
            raise _Refused(f"what came is not the file ({wrong})")
        with part.open("rb") as saved:
            compressed = saved.read(2) == b"\x1f\x8b"
        final = folder / (file.name + (".gz" if compressed else ""))
        os.replace(part, final)
        for other in {file.name, f"{file.name}.gz"} - {final.name}:  # a damaged one would be found before the new file
            (folder / other).unlink(missing_ok=True)
    _flush_folder(folder)
    return final


class _Sink:
    """Writes the pieces of an answer to the file. Refuses an answer that is too long or too slow."""

    def __init__(self, out: Any, file: KnownFile, progress: Progress | None, deadline: float) -> None:
        self.total: int | None = None
        self._out, self._file, self._progress, self._deadline = out, file, progress, deadline
        self._done = 0
        self._most = file.size + (1 << 16)  # gzip never adds more than a little

    def write(self, piece: bytes) -> None:
        self._done += len(piece)
        if self._done > self._most:
            raise _Refused(
                f"the answer is longer than {size_text(self._most)}, and the whole file has "
                f"{size_text(self._file.size)}"
            )
        if time.monotonic() > self._deadline:
            raise _Refused("it took too long")
        self._out.write(piece)
        if self._progress is not None:
            self._progress(f"Downloading {self._file.name}", self._done, self.total, "bytes")

    def flush(self) -> None:
        """Pieces are flushed once, at the end."""


@contextlib.contextmanager
def _temporary(folder: Path, name: str) -> Iterator[tuple[Path, int]]:
    """A new file in the folder, gone afterwards unless it was renamed."""
    handle, made = tempfile.mkstemp(prefix=f".{name}.", suffix=".part", dir=folder)
    try:
        yield Path(made), handle
    finally:
        Path(made).unlink(missing_ok=True)


def _check_address(address: str, plain_hosts: Sequence[str]) -> None:
    parts = urlsplit(address)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in plain_hosts):
        raise _Refused(f"it leads to {address}, and only https is asked")


def _root_cause(error: BaseException) -> str:
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _flush_folder(folder: Path) -> None:
    """Make a rename survive a power cut, if the system can (Windows cannot open folders)."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

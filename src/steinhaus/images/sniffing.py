"""Find the kind of a path from its first bytes. If it cannot be read, say what it seems to be."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from steinhaus.errors import DataError
from steinhaus.images.files import open_content, reading, shown
from steinhaus.images.limits import Limits
from steinhaus.images.shards import folders

HEAD = 512  # first bytes that identify a format
IDX_NAME = re.compile(r"[-.](idx[1-4]?([-.](ubyte|byte|short|int|float|double))?|ubyte)(\.gz)?$", re.IGNORECASE)
READABLE = (
    "Steinhaus reads IDX files (MNIST's format), .npy, .npz, .mat, HDF5, Zarr, Parquet, Arrow, CSV tables, JSON lines, "
    "fvecs, "
    "bvecs, CIFAR's binary files; PNG, JPEG, WebP, BMP, TIFF, AVIF and HEIC pictures; folders of these, and tar files "
    "of pictures."
)

# Pictures in folders and archives are found by these endings.
SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".heif",
)  # fmt: skip

_ENDINGS = {".parquet": "parquet", ".arrow": "arrow", ".feather": "arrow", ".tar": "tar", ".bin": "cifar"}
_KINDS = {
    "arrow": "Arrow files",
    "cifar": "CIFAR's binary files",
    "parquet": "Parquet files",
    "tar": "tar files",
    "idx folder": "IDX files",
    "picture": "pictures",
}
_HEADS = {
    b"\x93NUMPY": "npy", b"MATLAB 5": "matlab", b"PK\x03\x04": "npz", b"PK\x05\x06": "npz", b"PAR1": "parquet",
    b"ARROW1": "arrow", b"\x89HDF\r\n\x1a\n": "hdf5",
}  # fmt: skip
_PICTURES = re.compile(
    rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|RIFF....WEBP|BM.{4}\x00{4}|II\*\x00|MM\x00\*"
    rb"|....ftyp(avi[fs]|hei[cfsx]|hev[cx]|mif1|msf1)",
    re.DOTALL,
)
_IDX = re.compile(rb"\x00\x00[\x08\x09\x0b\x0c\x0d\x0e][\x01-\x04]")
_ANY_CASE = re.DOTALL | re.IGNORECASE
_CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x1f]")  # bytes that never occur in text

# First bytes of files that people mistake for a data set, and the advice for each.
_OTHERS: tuple[tuple[bytes, str], ...] = (
    (
        rb"(\xef\xbb\xbf)?\s*<(!doctype\s+html|html|head)",
        "a web page (HTML), not a data set: perhaps the error or login page of a download. Fetch the file itself",
    ),
    (rb"\s*<\?xml|\s*<error", "XML, perhaps a server's error message. Fetch the file again"),
    (rb"version https://git-lfs", "a Git LFS pointer, not the file itself. Fetch it with: git lfs pull"),
    (
        rb"\x80[\x02-\x05]",
        "a Python pickle, which can run any code when it is loaded; Steinhaus never loads one. Save the arrays with "
        "np.savez. For CIFAR, use the binary version",
    ),
    (rb"MATLAB 7", "a MATLAB file of version 7.3. Save it again with -v7, or its arrays as .npz"),
    (rb"FEA1", "a Feather file of version 1. Save it again, as Feather or Parquet"),
    (rb"GIF8", "a GIF picture. Convert it to PNG first"),
    (rb"%PDF", "a PDF document"),
    (
        rb"BZh[1-9]|\xfd7zXZ|7z\xbc\xaf|Rar!|\x28\xb5\x2f\xfd",
        "an archive or compressed with something other than gzip. Unpack it first",
    ),
    (rb".{8}\{\"", "a safetensors file. Save its arrays as .npz first"),
    (rb"\xff\xfe|\xfe\xff", "text in UTF-16. Save it as UTF-8 first"),
    (rb"\s*[{\[]", "JSON. Save it as CSV or .npz first"),
)


def identify(path: Path, limits: Limits) -> str:
    """Find the kind of a path: one for which `opening` has a reader.

    Raises
    ------
    DataError
        If the path does not exist, is empty, or cannot be read. The message says what it seems to be.
    """
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        raise DataError(f"{shown(path)}: there is no such file or folder.") from None
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise DataError(f"{shown(path)} cannot be opened: {reason}.") from None
    if stat.S_ISDIR(mode):
        return _identify_folder(path)
    with open_content(path, limits) as content:
        head, stored, compressed = content.read(HEAD), content.stored, content.compressed
    if stored == 0:
        raise DataError(f"{shown(path)} is empty (0 bytes). Was the download or copy interrupted? Fetch it again.")
    if not head:
        raise DataError(f"{shown(path)} is gzip-compressed, but empty inside.")
    kind = _identify_head(path, head)
    if compressed and kind not in ("idx", "csv"):
        raise DataError(
            f"{shown(path)} is a gzip-compressed {kind} file. Only IDX and CSV files can stay compressed. Unpack it "
            "first."
        )
    return kind


def _identify_head(path: Path, head: bytes) -> str:
    """The kind of a file with these first bytes."""
    if (kind := _of_ending(path, head)) is not None:
        return kind
    for magic, kind in _HEADS.items():
        if head.startswith(magic):
            return kind
    if _PICTURES.match(head):
        return "picture"
    if _IDX.match(head):
        return "idx"
    for pattern, what in _OTHERS:
        if re.match(pattern, head, _ANY_CASE):
            raise DataError(f"{shown(path)} is {what}.")
    if head[257:262] == b"ustar":
        return "tar"
    if IDX_NAME.search(path.name):
        raise DataError(
            f"{shown(path)} is an IDX file by its name, but begins with the bytes {head[:4].hex(' ')}. IDX files of "
            f"images begin with 00 00 08 03. {READABLE}"
        )
    if not _CONTROLS.search(head):
        return "csv"
    raise DataError(f"{shown(path)} has no known format: it begins with the bytes {head[:8].hex(' ')}. {READABLE}")


def _of_ending(path: Path, head: bytes) -> str | None:
    """The kind of a file by its ending, for formats without known first bytes."""
    ending = path.suffix.lower()
    if ending in (".fvecs", ".bvecs"):
        return "vectors"
    if ending in (".arrow", ".feather") and head.startswith(b"\xff\xff\xff\xff"):
        return "arrow"  # a stream
    if ending in (".jsonl", ".ndjson") or (ending == ".json" and re.match(rb"\s*(\{.*\}|\[.*\])\s*\n\s*[{\[]", head)):
        return "json lines"
    if ending == ".bin" and _is_cifar(path.stat().st_size):
        return "cifar"
    return None


def _is_cifar(size: int) -> bool:
    """Whether a file of this size may hold records of CIFAR's binary version."""
    return size > 0 and (size % 3073 == 0 or size % 3074 == 0)


def _identify_folder(path: Path) -> str:
    """The kind of a folder, from its files or, if none of them is data, from those in its sub-folders.

    Pictures in sub-folders make it a folder of pictures, unless there are IDX files above them.
    """
    with reading(path):
        names = os.listdir(path)
    if not names:
        raise DataError(f"{shown(path)} is an empty folder.")
    if {"zarr.json", ".zarray", ".zgroup"} & set(names):
        return "zarr"
    found = None
    for _, files in folders(path):
        kinds = {kind for file in files if (kind := _kind_by_name(file)) is not None}
        if "picture" in kinds and (found or "idx folder" not in kinds):
            return "folder"
        if found is None and len(kinds - {"picture"}) > 1:
            listed = " and ".join(sorted(_KINDS[kind] for kind in kinds))
            raise DataError(f"{shown(path)} holds {listed}. Open one of them, or move each set into a separate folder.")
        if "idx folder" in kinds and found is None:
            return "idx folder"
        found = found or next(iter(kinds), None)
    return found or "folder"


def _kind_by_name(file: Path) -> str | None:
    """The kind of a file in a folder by its name. Its content is checked when it is read."""
    if IDX_NAME.search(file.name):
        return "idx folder"
    ending = file.suffix.lower()
    if ending == ".bin" and not _is_cifar(file.stat().st_size):
        return None
    return _ENDINGS.get(ending) or ("picture" if ending in SUFFIXES else None)

"""Check the declared lengths of compressed Zarr chunks before they are decoded.

Unchecked, numcodecs reads past the end of a Blosc frame, which may crash the process, and waits forever for the rest of
a second Zstandard frame.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import zarr
from numcodecs.abc import Codec
from numcodecs.compat import ensure_contiguous_ndarray
from zarr.abc.codec import BytesBytesCodec
from zarr.codecs import ShardingCodec

_BLOSC_HEADER = 16  # bytes; the last four hold the length of the frame with its header
_ZSTD = 0xFD2FB528  # first bytes of a frame
_SKIPPED = range(0x184D2A50, 0x184D2A60)  # first bytes of frames without data


def checked(array: Any) -> Any:
    """The same Zarr array, with codecs that refuse frames whose end is not where they declare."""
    metadata = array.metadata
    if metadata.zarr_format == 2:
        compressor, filters = metadata.compressor, metadata.filters
        whole = replace(
            metadata, compressor=_of_version_2(compressor), filters=filters and [*map(_of_version_2, filters)]
        )
    else:
        whole = replace(metadata, codecs=tuple(map(_of_version_3, metadata.codecs)))
    return type(array)(zarr.AsyncArray(whole, array.store_path))


def _of_version_2(codec: Any) -> Any:
    fits = _FITS.get(getattr(codec, "codec_id", ""))
    return codec if fits is None or isinstance(codec, _Version2) else _Version2(codec)


def _of_version_3(codec: Any) -> Any:
    if isinstance(codec, ShardingCodec):
        of_chunks, of_index = (tuple(map(_of_version_3, codecs)) for codecs in (codec.codecs, codec.index_codecs))
        return replace(codec, codecs=of_chunks, index_codecs=of_index)
    name = "" if isinstance(codec, _Version3) else str(codec.to_dict().get("name")).removeprefix("numcodecs.")
    return _Version3(codec, name) if name in _FITS else codec


def _check(name: str, frame: memoryview) -> None:
    if not _FITS[name](frame):
        raise ValueError("it does not end where it declares to end")


class _Version2(Codec):  # type: ignore[misc]  # numcodecs has no types
    """A codec of format version 2, with the check."""

    codec_id = ""  # Zarr wants it of the class, too

    def __init__(self, codec: Any) -> None:
        self.codec, self.codec_id = codec, codec.codec_id

    def decode(self, buf: Any, out: Any = None) -> Any:
        """See `numcodecs.abc.Codec.decode`."""
        _check(self.codec_id, memoryview(ensure_contiguous_ndarray(buf).view("u1")))
        return self.codec.decode(buf, out)

    def encode(self, buf: Any) -> Any:
        """See `numcodecs.abc.Codec.encode`."""
        return self.codec.encode(buf)

    def get_config(self) -> dict[str, Any]:
        """See `numcodecs.abc.Codec.get_config`."""
        return self.codec.get_config()  # type: ignore[no-any-return]


@dataclass(frozen=True)
class _Version3(BytesBytesCodec):  # type: ignore[misc]  # zarr is not followed
    """A codec of format version 3, with the check."""

    codec: Any
    name: str  # a key of _FITS
    is_fixed_size = False

    def to_dict(self) -> dict[str, Any]:
        """See `zarr.abc.metadata.Metadata.to_dict`."""
        return self.codec.to_dict()  # type: ignore[no-any-return]

    def evolve_from_array_spec(self, array_spec: Any) -> _Version3:
        """See `zarr.abc.codec.Codec.evolve_from_array_spec`."""
        return replace(self, codec=self.codec.evolve_from_array_spec(array_spec))

    def compute_encoded_size(self, input_byte_length: int, chunk_spec: Any) -> int:
        """See `zarr.abc.codec.Codec.compute_encoded_size`."""
        return self.codec.compute_encoded_size(input_byte_length, chunk_spec)  # type: ignore[no-any-return]

    async def _decode_single(self, chunk_data: Any, chunk_spec: Any) -> Any:
        _check(self.name, memoryview(chunk_data.as_numpy_array().view("u1")))
        return await self.codec._decode_single(chunk_data, chunk_spec)


def _number(frame: memoryview, place: int, size: int) -> int:
    return int.from_bytes(frame[place : place + size], "little")


def _blosc_fits(frame: memoryview) -> bool:
    return _BLOSC_HEADER <= len(frame) >= _number(frame, 12, 4)


def _zstd_fits(frames: memoryview) -> bool:
    """Whether the last frame ends at the end of the data (RFC 8878, section 3.1)."""
    place = 0
    while place + 8 <= len(frames):
        kind = _number(frames, place, 4)
        if kind in _SKIPPED:
            place += 8 + _number(frames, place + 4, 4)
        elif kind == _ZSTD:
            place = _zstd_end(frames, place)
        else:
            return False
    return place == len(frames) > 0


def _zstd_end(frames: memoryview, place: int) -> int:
    """The end of the frame that begins here; past the end of the data if the frame is cut short."""
    about = frames[place + 4]
    alone = about >> 5 & 1  # one segment: no byte for the window, and at least one for the content size
    place += 5 + (1 - alone) + (0, 1, 2, 4)[about & 3] + (alone, 2, 4, 8)[about >> 6]
    last = 0
    while not last:
        block = _number(frames, place, 3)
        last = block & 1 if place + 3 <= len(frames) else 1
        place += 3 + (1 if block >> 1 & 3 == 1 else block >> 3)  # kind 1 is one repeated byte
    return place + 4 * (about >> 2 & 1)  # a checksum


_FITS: dict[str, Callable[[memoryview], bool]] = {"blosc": _blosc_fits, "zstd": _zstd_fits}

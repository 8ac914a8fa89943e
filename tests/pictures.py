"""Data sets as files, made by the tests."""

import gzip
import io
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

IDX_TYPES = {"uint8": 0x08, "int8": 0x09, "int16": 0x0B, "int32": 0x0C, "float32": 0x0D, "float64": 0x0E}


def digits(n=6, h=4, w=3, seed=0):
    """n pictures of noise, (n, h, w) uint8."""
    return np.random.default_rng(seed).integers(0, 256, (n, h, w), dtype=np.uint8)


def idx(array):
    """An array as the bytes of an IDX file."""
    array = np.asarray(array)
    head = struct.pack(">BBBB", 0, 0, IDX_TYPES[array.dtype.name], array.ndim) + struct.pack(
        f">{array.ndim}I", *array.shape
    )
    return head + array.astype(array.dtype.newbyteorder(">")).tobytes()


def write(path, data, gz=False):
    """Write bytes, gzip-compressed or not, and return the path."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(data) if gz else data)
    return path


def mnist_like(folder, train=6, test=4, gz=True):
    """A folder of four IDX files, with MNIST's names; returns train and test pixels and labels."""
    end = ".gz" if gz else ""
    parts = {"train": digits(train, seed=1), "t10k": digits(test, seed=2)}
    labels = {name: np.arange(len(pixels), dtype=np.uint8) % 3 for name, pixels in parts.items()}
    for name, pixels in parts.items():
        write(folder / f"{name}-images-idx3-ubyte{end}", idx(pixels), gz)
        write(folder / f"{name}-labels-idx1-ubyte{end}", idx(labels[name]), gz)
    return parts, labels


def picture(path, array, **options):
    """Write a picture file of an array, or of a Pillow image."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    image = array if isinstance(array, Image.Image) else Image.fromarray(array)
    image.save(path, **options)
    return path


def npy_header(descr="'|u1'", shape="(2, 3)", order="False"):
    """The header of a .npy file that declares what it is told to."""
    text = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


def npy(array):
    """An array as the bytes of a .npy file."""
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def archive(path, members):
    """Write a zip archive of (name, bytes)."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, data in members:
            out.writestr(name, data)
    return path


def png(*chunks):
    """A PNG of these chunks, each a name and its data, and of the one that ends it."""
    parts = [b"\x89PNG\r\n\x1a\n"]
    for name, data in (*chunks, (b"IEND", b"")):
        parts += struct.pack(">I", len(data)), name, data, struct.pack(">I", zlib.crc32(name + data))
    return b"".join(parts)


def png_that_declares(width, height):
    """A PNG of a few bytes whose header declares a size."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return png((b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))))


def png16(path, kind, samples, alpha=0xFFFF, transparent=None):
    """A PNG of 16 bits a sample, one row, all colours alike; kind: 0 grey, 2 RGB, 4 grey with alpha, 6 RGBA."""
    colours, has_alpha = (3 if kind in (2, 6) else 1), kind in (4, 6)
    row = b"".join(struct.pack(">H", s) * colours + struct.pack(">H", alpha) * has_alpha for s in samples)
    extra = [] if transparent is None else [(b"tRNS", struct.pack(">H", transparent) * colours)]
    head = struct.pack(">IIBBBBB", len(samples), 1, 16, kind, 0, 0, 0)
    return write(path, png((b"IHDR", head), *extra, (b"IDAT", zlib.compress(b"\0" + row))))

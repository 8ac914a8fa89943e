"""Make inputs from good ones: change bytes anywhere, or change parts so that the whole still fits together.

A reader that checks sums and sizes throws most changed bytes out at its door. So each format has a mutation that
changes a part and then mends what stands around it: checksums, lengths, compression. A mutation raises whatever it
trips over where its input is no longer of the format.
"""

from __future__ import annotations

import gzip
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from random import Random
from typing import Any

Mutation = Callable[[Random, bytes], bytes]

NUMBERS = (
    0,
    1,
    -1,
    2,
    127,
    128,
    255,
    256,
    65535,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**53,
    2**62,
    2**63 - 1,
    2**63,
    2**64 - 1,
)
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, -0.0, 1e308, -1e308, 5e-324, *NUMBERS, 10**30, 10**400, "", "\0", "\ud800",
    "../../x", "a" * 5000, "given:", "<script>", "\x1b[2J", [], {}, [[]], [None], {"": None}, [0] * 100,
    "CONVERGED", "float64", "uint8",
)  # fmt: skip
TOKENS = (
    b"nan", b"inf", b"-inf", b"1e999", b"1e-999", b"0x10", b"1_000", b'"', b"''", b"", b" ", b",", b";", b"\t", b"\r",
    b"\n", b"\0", b"\xff", b"\xef\xbb\xbf", b"9" * 400, b"-0", b"256", b"255", b"1.0", b"#",
    b"label", "９".encode(), b"(",
    b")", b"[", b"{", b"True", b"1+2j", b"\x85", "\u2028".encode(),
)  # fmt: skip


def anywhere(rng: Random, data: bytes) -> bytes:
    """A few bytes flipped, replaced, taken out, doubled, swapped or cut off, wherever they are."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 8))):
        place = rng.randrange(len(out) + 1)
        match rng.randrange(9):
            case 0 if place < len(out):
                out[place] ^= 1 << rng.randrange(8)
            case 1:
                out[place : place + 1] = bytes([rng.randrange(256)])
            case 2:
                size = rng.choice((1, 2, 4, 8))
                number = rng.choice(NUMBERS) & (256**size - 1)
                out[place : place + size] = number.to_bytes(size, rng.choice(("little", "big")))
            case 3:
                del out[place : place + rng.randrange(1, 17)]
            case 4:
                out[place:place] = out[place : place + rng.randrange(1, 65)]
            case 5:
                out[place:place] = rng.randbytes(rng.randrange(1, 9))
            case 6:
                other = rng.randrange(len(out) + 1)
                out[place : place + 8], out[other : other + 8] = out[other : other + 8], out[place : place + 8]
            case 7 if rng.random() < 0.2:
                del out[place:]
            case _:
                out[place : place + 1] = rng.choice(TOKENS)
    return bytes(out)


def in_gzip(inside: Mutation) -> Mutation:
    """What a gzip file holds is changed, and compressed again."""

    def mutate(rng: Random, data: bytes) -> bytes:
        content = gzip.decompress(data)
        if rng.random() < 0.05:
            content += bytes(rng.choice((10_000, 300_000)))
        return gzip.compress(inside(rng, content), 1, mtime=0)

    return mutate


def in_matlab(inside: Mutation) -> Mutation:
    """A compressed array of a MATLAB file is changed, and compressed again."""

    def mutate(rng: Random, data: bytes) -> bytes:
        kind, size = struct.unpack("<II", data[128:136])
        if kind != 15:
            return data[:136] + inside(rng, data[136:])
        content = zlib.compress(inside(rng, zlib.decompress(data[136 : 136 + size])))
        return data[:128] + struct.pack("<II", kind, len(content)) + content + data[136 + size :]

    return mutate


def idx(rng: Random, data: bytes) -> bytes:
    """Type, dimensions and sizes of an IDX header."""
    out = bytearray(data)
    if rng.random() < 0.3:
        out[2:4] = bytes([rng.choice((8, 9, 11, 12, 13, 14, 7)), rng.choice((0, 1, 2, 3, 4, 5, 255))])
    place = 4 * rng.randrange(1, 4)
    out[place : place + 4] = struct.pack(">I", rng.choice(NUMBERS) & 0xFFFFFFFF)
    if rng.random() < 0.3:
        out += bytes(rng.randrange(3000))
    return bytes(out)


def npy(rng: Random, data: bytes) -> bytes:
    """The text of a .npy header, its length mended."""
    end = 10 + int.from_bytes(data[8:10], "little")
    text = data[10:end]
    for old, new in rng.choices(
        (
            (b"(6, 4, 3)", str((rng.choice(NUMBERS), *rng.choices(NUMBERS, k=rng.randrange(4)))).encode()),
            (
                b"|u1",
                rng.choice((b"<f8", b">f4", b"|O", b"<U3", b"|S9", b"<c16", b"|V8", b"<M8", b"?", b"<f2", b"<i8")),
            ),
            (b"False", rng.choice((b"True", b"1", b"None"))),
            (b"'shape'", b"'shape':(1,),'shape'"),
            (b"(", b"("),
        ),
        k=2,
    ):
        text = text.replace(old, new, 1)
    if rng.random() < 0.3:
        text = anywhere(rng, text)
    return data[:8] + struct.pack("<H", len(text) & 0xFFFF) + text + data[end:]


def zipped(inside: Mutation) -> Mutation:
    """The members of a zip archive: what they hold, their names, their number, how they are compressed."""

    def mutate(rng: Random, data: bytes) -> bytes:
        with zipfile.ZipFile(io.BytesIO(data)) as old:
            members = [(name, old.read(name)) for name in old.namelist()]
        place = rng.randrange(len(members))
        name, content = members[place]
        match rng.randrange(5):
            case 0:
                names = (
                    "x.npy",
                    "../images.npy",
                    "/y.npy",
                    "a\\b.npy",
                    "labels.npy",
                    "y_train.npy",
                    "\0.npy",
                    ".npy",
                    "x",
                    "é.npy",
                )
                members[place] = (rng.choice(names), content)
            case 1:
                members.append((rng.choice(("labels.npy", "arr_1.npy", "y_test.npy", "x_test.npy")), content))
            case _:
                members[place] = (name, inside(rng, content))
        out = io.BytesIO()
        kind = rng.choices((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2), (5, 5, 1))[0]
        with zipfile.ZipFile(out, "w", kind) as new:
            for entry in dict(members).items():
                new.writestr(*entry)
        return out.getvalue()

    return mutate


def png(rng: Random, data: bytes) -> bytes:
    """The chunks of a PNG file, their sums mended; or the rows within."""
    chunks, place = [], 8
    while place + 12 <= len(data):
        size = int.from_bytes(data[place : place + 4], "big")
        chunks.append((data[place + 4 : place + 8], data[place + 8 : place + 8 + size]))
        place += 12 + size
    at = rng.randrange(len(chunks))
    name, body = chunks[at]
    match rng.randrange(6):
        case 0:
            del chunks[at]
        case 1:
            chunks.insert(at, rng.choice(chunks))
        case 2:
            kinds = (
                b"PLTE",
                b"tRNS",
                b"iCCP",
                b"eXIf",
                b"acTL",
                b"fcTL",
                b"fdAT",
                b"zTXt",
                b"iTXt",
                b"gAMA",
                b"pHYs",
                b"tEXt",
            )
            new = rng.choice(
                (rng.randbytes(rng.randrange(80)), b"x\0\0" + zlib.compress(bytes(rng.choice((10, 10**6)))))
            )
            chunks.insert(at, (rng.choice(kinds), new))
        case 3 if name == b"IHDR" and len(body) == 13:
            width, height, *rest = struct.unpack(">IIBBBBB", body)
            rest[rng.randrange(5)] = rng.choice((0, 1, 2, 3, 4, 6, 8, 16, 255))
            sides = [rng.choice((width, height, 0, 1, 99, 4000, 30_000, 2**31)) for _ in range(2)]
            chunks[at] = (name, struct.pack(">IIBBBBB", *sides, *rest))
        case 4 if name == b"IDAT":
            chunks[at] = (name, zlib.compress(anywhere(rng, zlib.decompress(body))))
        case _:
            chunks[at] = (name, anywhere(rng, body))
    return data[:8] + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )


def table(rng: Random, data: bytes) -> bytes:
    """Fields and lines of a table."""
    lines = data.split(b"\n")
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = rng.randrange(len(lines))
        fields = lines[at].split(b",")
        place = rng.randrange(len(fields))
        match rng.randrange(5):
            case 0:
                del lines[at : at + 1]
                lines = lines or [b""]
                continue
            case 1:
                lines.insert(at, rng.choice(lines))
                continue
            case 2:
                fields.insert(place, rng.choice(fields))
            case 3:
                del fields[place]
            case _:
                fields[place] = rng.choice((*TOKENS, str(rng.choice(NUMBERS)).encode()))
        lines[at] = b",".join(fields)
    return b"\n".join(lines)


def value(rng: Random, tree: Any) -> Any:
    """A tree of JSON with one of its nodes changed."""
    if isinstance(tree, dict) and tree and rng.random() < 0.9:
        key, way = rng.choice(list(tree)), rng.random()
        rest = {name: node for name, node in tree.items() if name != key}
        other = rng.choice(("", "__class__", key)) if way < 0.07 else key
        return rest if way < 0.05 else {**tree, other: value(rng, tree[key])}
    if isinstance(tree, list) and tree and rng.random() < 0.9:
        place, way = rng.randrange(len(tree)), rng.random()
        changed = [] if way < 0.1 else [tree[place]] * 2 if way < 0.2 else [value(rng, tree[place])]
        return tree[:place] + changed + tree[place + 1 :]
    if isinstance(tree, int | float) and not isinstance(tree, bool) and rng.random() < 0.3:
        return rng.choice((tree + 1, tree - 1, -tree, tree * 2, float(tree)))
    return rng.choice(VALUES)


def signed_json(sign: Callable[[Any], bytes]) -> Mutation:
    """A document of JSON with one node changed, signed again."""

    def mutate(rng: Random, data: bytes) -> bytes:
        return sign(value(rng, json.loads(data)))

    return mutate


def safetensors(rng: Random, data: bytes) -> bytes:
    """The header of a safetensors file, its length mended."""
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.dumps(value(rng, json.loads(data[8:end]))).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + data[end:]


def lines(rng: Random, data: bytes) -> bytes:
    """A list of JSON lines, one of them changed."""
    rows = data.split(b"\n")
    at = rng.randrange(len(rows))
    rows[at] = json.dumps(value(rng, json.loads(rows[at]))).encode()
    return b"\n".join(rows)

"""Operations on the eight tile registers of AMX, each of 16 rows of 64 bytes. Kernels name them by number.

They need `target.BYTE_TILES`. A kernel of which any part uses them begins with `begin_tiles` and ends with `end_tiles`,
which do nothing on other processors. A pair of these takes as long as twenty products of tiles, so it stands where
Python calls, and not around each use.
"""

from __future__ import annotations

from typing import Any

from steinhaus.jit.operations import operation
from steinhaus.jit.target import BYTE_TILES
from steinhaus.jit.types import i64
from steinhaus.jit.values import Const, Value
from steinhaus.jit.writing import Writer

_ROWS, _ROW_BYTES, _TILES = 16, 64, 8


def _call(t: Writer, name: str, *arguments: str) -> Const:
    """Call one of LLVM's functions for tiles. arguments: each with its type, as LLVM writes it."""
    kinds = ", ".join(argument.split(" ")[0] for argument in arguments)
    function = t.unit.declare(f"llvm.x86.{name}", f"declare void @llvm.x86.{name}({kinds})")
    t.emit(f"call void {function}({', '.join(arguments)})")
    return Const(0)


@operation
def begin_tiles(t: Writer, node: Any) -> Const:
    """Make all tiles 16 rows of 64 bytes."""
    if not BYTE_TILES:
        return Const(0)
    layout = bytearray(64)  # palette, then from byte 16 the bytes of a row as 16 bits, and from byte 48 the rows
    layout[0] = 1
    layout[16 : 16 + 2 * _TILES : 2] = bytes([_ROW_BYTES]) * _TILES
    layout[48 : 48 + _TILES] = bytes([_ROWS]) * _TILES
    name, told = "tiles.layout", "".join(f"\\{byte:02X}" for byte in layout)
    where = t.unit.declare(name, f'@{name} = private constant [64 x i8] c"{told}", align 64')
    return _call(t, "ldtilecfg", f"ptr {where}")


@operation
def end_tiles(t: Writer, node: Any) -> Const:
    """Give the tiles back, so that the system need not keep them for this thread."""
    return _call(t, "tilerelease") if BYTE_TILES else Const(0)


@operation
def zero_tile(t: Writer, node: Any, number: Const) -> Const:
    """Fill a tile with zeros."""
    return _call(t, "tilezero", f"i8 {number.value}")


@operation
def load_tile(t: Writer, node: Any, number: Const, array: Value, index: Any, stride: Any) -> Const:
    """Load a tile whose first row is at an element. The rows are `stride` bytes apart."""
    return _moved(t, node, "tileloadd64", number, array, index, stride)


@operation
def store_tile(t: Writer, node: Any, number: Const, array: Value, index: Any, stride: Any) -> Const:
    """Store a tile; see `load_tile`."""
    return _moved(t, node, "tilestored64", number, array, index, stride)


def _moved(t: Writer, node: Any, name: str, number: Const, array: Value, index: Any, stride: Any) -> Const:
    at = t.address(node, array, index)[1]
    return _call(t, name, f"i8 {number.value}", f"ptr {at}", f"i64 {t.typed(stride, i64, node).text}")


@operation
def add_tile_products(t: Writer, node: Any, total: Const, signed: Const, unsigned: Const) -> Const:
    """Add to each int32 of a tile, in row r and column c, the 64 products of row r and column c of two tiles.

    The rows of `signed` hold 64 signed bytes. Column c of `unsigned` holds the four bytes from 4 c on, of every row.
    """
    return _call(t, "tdpbsud", *(f"i8 {of.value}" for of in (total, signed, unsigned)))

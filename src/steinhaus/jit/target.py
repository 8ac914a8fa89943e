"""The processor that kernels are compiled for.

`STEINHAUS_CPU` and `STEINHAUS_CPU_FEATURES` name another one: "x86-64" and "+sse4.2,-avx" compile for an old machine.
"""

from __future__ import annotations

import ctypes
import os
import platform
from typing import Any

import llvmlite.binding as llvm

_AMX = ("amx-tile", "amx-int8")
_ARCH_PRCTL, _REQUEST_PERMISSION, _TILE_DATA = 158, 0x1023, 18  # of Linux on x86-64


def _may_use_tiles() -> bool:
    """Ask the system for the tile registers of AMX, for all threads of this process. Without them they trap."""
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        return False
    return bool(ctypes.CDLL(None).syscall(_ARCH_PRCTL, _REQUEST_PERMISSION, _TILE_DATA) == 0)


def features() -> list[str]:
    """The features of the processor that may be used, as LLVM names them: "+avx", "-sse4.2"."""
    told = os.environ.get("STEINHAUS_CPU_FEATURES") or llvm.get_host_cpu_features().flatten()
    features = told.split(",")
    tiled = all(f"+{name}" in features for name in _AMX)
    if tiled and not _may_use_tiles():
        return [f"-{each[1:]}" if each[1:] in _AMX else each for each in features]
    return features


CPU = os.environ.get("STEINHAUS_CPU") or llvm.get_host_cpu_name()
_FEATURES = features()
FEATURES = ",".join(_FEATURES)

# Lanes of the instruction that sums four products of bytes; 0: this processor has no such instruction.
BYTE_LANES = 16 if "+avx512vnni" in _FEATURES else 8 if "+avxvnni" in _FEATURES else 0
# Whether 16 x 64 bytes are multiplied with 64 x 16 at once, by AMX.
BYTE_TILES = BYTE_LANES == 16 and all(f"+{name}" in _FEATURES for name in _AMX)


def takes_bytes(dtype: Any) -> bool:
    """Whether points of this type are multiplied as bytes."""
    return bool(BYTE_LANES) and str(dtype) == "uint8"


def machine() -> llvm.TargetMachine:
    """LLVM's description of the processor."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(
        cpu=CPU, features=FEATURES, opt=3, reloc="static", codemodel="jitdefault", jit=True
    )

"""The processor that kernels are compiled for.

`STEINHAUS_CPU` and `STEINHAUS_CPU_FEATURES` name another one: "x86-64" and "+sse4.2,-avx" compile for an old machine.
"""

from __future__ import annotations

import os
from typing import Any

import llvmlite.binding as llvm

CPU = os.environ.get("STEINHAUS_CPU") or llvm.get_host_cpu_name()
FEATURES = os.environ.get("STEINHAUS_CPU_FEATURES") or llvm.get_host_cpu_features().flatten()

# Lanes of the instruction that sums four products of bytes; 0: this processor has no such instruction.
BYTE_LANES = 16 if "+avx512vnni" in FEATURES.split(",") else 8 if "+avxvnni" in FEATURES.split(",") else 0


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

"""From LLVM's language to machine code, for several threads at once.

llvmlite lets one thread at a time call LLVM. LLVM itself allows any number of threads, if each works in a context of
its own, as its linker's threads do. So the two long calls, to optimise a module and to write its code, are made without
llvmlite's lock. A version of llvmlite that has no such lock, or hides it, is called as it is.
"""

from __future__ import annotations

import ctypes
from typing import Any

import llvmlite.binding as llvm
from llvmlite.binding import ffi

from steinhaus.jit import target

_LEVEL = 2  # optimisation level of LLVM


def machine_code(text: str) -> bytes:
    """An object file for this processor; text: a module in LLVM's language."""
    machine = target.machine()
    module = llvm.parse_assembly(text, llvm.create_context())
    module.verify()
    tuning = llvm.create_pipeline_tuning_options(speed_level=_LEVEL)
    tuning.loop_vectorization, tuning.slp_vectorization = True, False
    builder = llvm.create_pass_builder(machine, tuning)
    passes = builder.getModulePassManager()
    _unlocked("LLVMPY_RunNewModulePassManager")(passes, module, builder)
    with ffi.OutputString() as problem:
        buffer = _unlocked("LLVMPY_TargetMachineEmitToMemory")(machine, module, 1, problem)
        if not buffer:
            raise RuntimeError(str(problem))
    try:
        return ctypes.string_at(ffi.lib.LLVMPY_GetBufferStart(buffer), ffi.lib.LLVMPY_GetBufferSize(buffer))
    finally:
        ffi.lib.LLVMPY_DisposeMemoryBuffer(buffer)


def _unlocked(name: str) -> Any:
    """A function of LLVM without llvmlite's lock."""
    locked = getattr(ffi.lib, name)
    return getattr(locked, "_cfn", locked)

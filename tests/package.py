"""The package's sources, for tests that read them."""

from __future__ import annotations

from pathlib import Path

import steinhaus

PACKAGE = Path(steinhaus.__file__).parent
# What makes a function a kernel, or a part of one; a module that uses any of these is a kernel module.
KERNELS = {"kernel", "shared_kernel", "loose_kernel", "inner", "inlined", "apart", "loose"}

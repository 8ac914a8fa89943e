"""The kernel language: a small, typed part of Python that becomes machine code through LLVM.

`declared` holds a function's source and types. `translate` (statements) and `expressions` turn it into LLVM's language,
which `writing` writes. `operations` are the names that kernels can use besides Python's own. `build` makes, keeps and
calls the machine code. `handed` passes records of arrays by one address.
"""

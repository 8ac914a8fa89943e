"""The kernel language: a small, typed part of Python that becomes machine code through LLVM.

- `types`, `values`: the types of the language, and values during translation
- `annotations`: the same types for fields of records
- `declared`: a function's source and types
- `translate`, `expressions`: from Python to LLVM's language, statements and expressions; `writing` writes it
- `operations`: functions for kernels besides Python's own
- `build`: compile, store and call machine code, which `emitting` makes; `target` is the processor
- `handed`: records of arrays, passed by one address
"""

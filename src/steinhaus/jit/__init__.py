"""Kernels: functions in a small part of Python, with types, that become machine code through LLVM.

`translate` turns a function into LLVM's language, `operations` are the names that kernels can use besides Python's own,
`build` makes, keeps and calls the machine code, `handed` passes records of arrays by one address.
"""

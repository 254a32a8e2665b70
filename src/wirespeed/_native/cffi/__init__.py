"""The cffi backend: thin wrappers over `csrc`, for PyPy and, when asked, CPython."""

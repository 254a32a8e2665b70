"""The Cython backend: thin wrappers over `csrc`, for CPython."""

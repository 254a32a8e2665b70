"""Bodies that are no file and no buffer: `aio` is the source, `client` its twin."""

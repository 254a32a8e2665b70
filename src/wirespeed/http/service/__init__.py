"""What the clients of all HTTP services have in common: `aio` is the source, `client` its twin."""

"""Flows, their effects, and the two drivers that carry them out.

A flow is a generator: it yields an effect, is sent the effect's outcome, and returns its
result. It holds no socket, clock or lock, so a plain list of replies tests it.
`threads` runs flows with blocking calls, `aio` runs them on an event loop.
"""

import logging

logging.getLogger("wirespeed").addHandler(logging.NullHandler())

"""The offsets of a broadcasting consumer, in a file of this machine."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from ..config import state_folder
from .models import MessageQueue


class LocalOffsets:
    """Keeps offsets in a JSON file, readable by its owner alone.

    Args:
        path: the file; None for one in the state folder that the group and `instance` name.
        group: the consumer group.
        instance: tells the members apart that run on one machine.
    """

    def __init__(self, path: str | os.PathLike[str] | None, group: str, instance: str) -> None:
        if path is None:
            name = f"{group}@{instance}".replace("%", "_").replace("|", "_")
            self._path = state_folder() / "rocketmq-offsets" / f"{name}.json"
        else:
            self._path = Path(path)

    def load(self) -> dict[MessageQueue, int]:
        """Return what was kept; nothing where there is no file, or none that can be read."""
        try:
            rows = json.loads(self._path.read_text(encoding="utf-8"))
            return {
                MessageQueue(str(topic), str(broker), int(queue)): int(offset)
                for topic, broker, queue, offset in rows
            }
        except (OSError, ValueError, TypeError):
            return {}

    def save(self, offsets: Mapping[MessageQueue, int]) -> None:
        """Keep these; the file is replaced as a whole.

        Raises:
            OSError: it cannot be written.
        """
        rows = [
            [queue.topic, queue.broker_name, queue.queue_id, offset]
            for queue, offset in sorted(offsets.items())
        ]
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = self._path.with_name(f".{self._path.name}.{secrets.token_hex(4)}")
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(rows, file)
            os.replace(temporary, self._path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise

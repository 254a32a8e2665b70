"""Runs one command for as long as the process that started this one lives.

``python guard.py FOLDER COMMAND...`` starts the command in a session of its own and reads
standard input. When that ends, because the parent closed it or was itself killed, the command is
killed (SIGKILL); the line "stop" asks it to stop instead (SIGTERM), with 30 seconds to do so;
"pause" and "go on" let it stand still for a while. A folder that the parent could no longer
remove, because it was killed, is removed here. On Linux the command is killed too if this process
is. The exit code is the command's when it ends by itself, else 0.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import threading

PR_SET_PDEATHSIG = 1
GRACE_SECONDS = 30.0


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent ends (Linux; nothing elsewhere)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def main(folder: str, command: list[str]) -> int:
    """Run ``command`` until it ends or standard input does; return the exit code."""
    parent = os.getppid()
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            # A handler, not SIG_IGN: the command would inherit that and never hear SIGTERM.
            signal.signal(getattr(signal, name), lambda *_: None)
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=die_with_parent if os.name == "posix" else None,
    )
    asked = threading.Event()

    def obey_input() -> None:
        while (told := os.read(0, 4096)) and told != b"stop\n":
            for line in told.splitlines():
                child.send_signal(signal.SIGSTOP if line == b"pause" else signal.SIGCONT)
        asked.set()
        if told:
            child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(GRACE_SECONDS)
        child.kill()

    threading.Thread(target=obey_input, daemon=True).start()
    code = child.wait()
    if os.getppid() != parent:
        shutil.rmtree(folder, ignore_errors=True)
    return 0 if asked.is_set() else code or 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))

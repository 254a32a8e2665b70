"""The peers that have to be fetched."""

from __future__ import annotations

import importlib
import logging
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

from wirespeed import dropin

REPOSITORY = Path(__file__).resolve().parent.parent
FOLDER = REPOSITORY / ".venv-peers"


def _install(folder: Path, *wanted: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", "--target", str(folder), *wanted],
        capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        raise LookupError(f"{wanted[-1]} could not be installed: {done.stderr.strip()}")


def _fetch(package: str, *wanted: str) -> None:
    """Install into a folder of our own what is not there yet, and make it importable."""
    if not (FOLDER / package).is_dir():
        _install(FOLDER, *wanted)
    if str(FOLDER) not in sys.path:
        sys.path.append(str(FOLDER))


def folder_of(name: str, *wanted: str) -> Path:
    """Return a folder with packages that must not be importable here.

    Raises:
        LookupError: they could not be installed.
    """
    folder = FOLDER / f"alone-{name}"
    if not folder.is_dir():
        _install(folder, *wanted)
    return folder


def botocore(module: str) -> Any:
    """Return a module of botocore, installed the first time.

    Raises:
        LookupError: it could not be installed.
    """
    _fetch("botocore", "botocore>=1.40")
    return importlib.import_module(f"botocore.{module}")


def boto3() -> Any:
    """Return boto3, installed the first time.

    Raises:
        LookupError: it could not be installed.
    """
    _fetch("boto3", "boto3>=1.40")
    return importlib.import_module("boto3")


def aiobotocore() -> Any:
    """Return ``aiobotocore.session``, installed the first time.

    Raises:
        LookupError: it could not be installed.
    """
    _fetch("aiobotocore", "aiobotocore>=2.15")
    return importlib.import_module("aiobotocore.session")


def boto2() -> Any:
    """Return boto 2.49.0, installed the first time.

    Raises:
        LookupError: this Python cannot import it, or it could not be installed.
    """
    if sys.version_info >= (3, 12):
        raise LookupError("boto 2.49.0 cannot be imported from Python 3.12 on")
    _fetch("boto", "--no-deps", "boto==2.49.0")
    importlib.import_module("boto.sqs.connection")
    return importlib.import_module("boto")


def cmq_account() -> Any:
    """Return ``cmq.account`` of the CMQ SDK for Python 3, installed the first time.

    Raises:
        LookupError: this Python cannot import it, or it could not be installed.
    """
    _fetch("cmq", "--no-deps", "qcloud-cmq-sdk-py3==0.1")
    # Without a handler it would open a log file in the current folder.
    logging.getLogger("CMQ_python_sdk").addHandler(logging.NullHandler())
    try:
        importlib.import_module("cmq.queue")
        return importlib.import_module("cmq.account")
    except ImportError as missing:
        raise LookupError(f"the CMQ SDK cannot be imported: {missing}") from missing


def rocketmq_client() -> Any:
    """Return ``rocketmq.client`` of rocketmq 0.4.4 (ctypes on C++), installed the first time.

    Raises:
        LookupError: it does not exist for this machine or could not be installed.
    """
    if sys.platform != "linux" or platform.machine() != "x86_64":
        raise LookupError("rocketmq 0.4.4 is built for Linux x86_64 only")
    _fetch("rocketmq", "--no-deps", "rocketmq==0.4.4")
    try:
        return importlib.import_module("rocketmq.client")
    except (ImportError, OSError) as failure:
        raise LookupError(f"rocketmq 0.4.4 does not load here: {failure}") from failure


def wcs_client(url: str, records: str) -> Any:
    """Return a client of the living WCS SDK, installed the first time.

    Raises:
        LookupError: it could not be installed.
    """
    wanted = ("wcs-python3-sdk==5.0.36", "crcmod", "requests", "requests-toolbelt", "pyyaml")
    _fetch("wcs", *wanted)
    config = importlib.import_module("wcs.commons.config").Config()
    config.access_key, config.secret_key = "local", "local-secret"
    config.put_url = config.mgr_url = url
    config.tmp_record_folder = records
    config.overwrite, config.concurrency = 1, 4
    made = importlib.import_module("wcs.services.client").Client(config)
    # It would print a line for each request, which costs it time and us the terminal.
    logging.getLogger("wcs_python_sdk").setLevel(logging.WARNING)
    return made


def wcs_etag(path: str) -> list[str]:
    """Return the command by which the WCS SDK prints the etag of a file.

    Raises:
        LookupError: it could not be installed.
    """
    _fetch("wcs", "wcs-python3-sdk==5.0.36", "crcmod", "requests")
    program = (
        f"import sys; sys.path.insert(0, {str(FOLDER)!r}); "
        f"from wcs.commons.util import etag; print(etag({path!r}))"
    )
    return [sys.executable, "-c", program]


def dropin_rocketmq() -> tuple[Any, Any]:
    """Return `Message` and `ReceivedMessage` of our own `rocketmq.client`, beside the other's."""
    theirs = {name: sys.modules.pop(name) for name in list(sys.modules) if _is_rocketmq(name)}
    sys.path.insert(0, dropin.folder("rocketmq"))
    try:
        ours = importlib.import_module("rocketmq.client")
        return ours.Message, ours.ReceivedMessage
    finally:
        sys.path.pop(0)
        for name in list(sys.modules):
            if _is_rocketmq(name):
                del sys.modules[name]
        sys.modules.update(theirs)


def _is_rocketmq(name: str) -> bool:
    return name.partition(".")[0] == "rocketmq"

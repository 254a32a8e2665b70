"""Many files at a time, up or down, with a bar for each and one for all."""

from __future__ import annotations

import argparse
import os
import re
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wirespeed.cli import exits, told
from wirespeed.cli.objects import show
from wirespeed.cli.progress import Bars
from wirespeed.errors import ConfigError, WirespeedError
from wirespeed.storage import Progress, RateLimit

if TYPE_CHECKING:
    from wirespeed.cli.objects import Bucket

_RATE = re.compile(r"(\d+(?:\.\d+)?)([kKmMgG]?)(?:i?[bB])?")
_UNITS = {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3}


@dataclass(frozen=True)
class Job:
    """One file to copy.

    Attributes:
        source: the path, or the key.
        target: the key, or the path.
        size: bytes.
        up: whether it is uploaded.
    """

    source: str
    target: str
    size: int
    up: bool


def add_transfer_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of every command that copies."""
    parser.add_argument(
        "--jobs", type=int, default=4, metavar="N", help="files at a time (%(default)s)"
    )
    parser.add_argument(
        "--part-jobs", type=int, default=4, metavar="N", help="parts of a file (%(default)s)"
    )
    parser.add_argument(
        "--limit-rate", metavar="RATE", help="bytes a second for all together, such as 500k or 10M"
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be done")


def rate_of(text: str | None) -> RateLimit | None:
    """Return the limit that an argument asks for.

    Raises:
        ConfigError: it is no number of bytes.
    """
    if text is None:
        return None
    match = _RATE.fullmatch(text)
    if match is None:
        raise ConfigError(f"--limit-rate must be such as 500k or 10M, not {text!r}")
    return RateLimit(max(1, int(float(match[1]) * _UNITS[match[2].lower()])))


def copy_all(
    args: argparse.Namespace, bucket: Bucket, jobs: Iterable[Job], op: str, *, overwrite: bool
) -> int:
    """Copy files, several at a time; go on after one that fails.

    Returns:
        0, or the exit code of the first that failed.
    """
    work = list(jobs)
    limit = rate_of(args.limit_rate)
    if args.jobs < 1 or args.part_jobs < 1:
        raise ConfigError("--jobs and --part-jobs must be at least 1")
    code = exits.OK
    if args.dry_run:
        for job in work:
            if job.up and not os.path.exists(job.source):
                missing = FileNotFoundError(2, "No such file or directory", job.source)
                code = _tell_failed(args, op, job, missing, code)
            else:
                tell(args, op, job, job.size)
        return code
    stop = threading.Event()
    with Bars(len(work), sum(job.size for job in work)) as bars:

        def one(job: Job) -> int:
            if stop.is_set():
                raise KeyboardInterrupt
            with bars.file(job.source, job.size) as update:
                return _copy(args, bucket, job, limit, overwrite, _follow(update, stop))

        with ThreadPoolExecutor(args.jobs) as pool:
            futures = {pool.submit(one, job): job for job in work}
            try:
                for future in as_completed(futures):
                    job = futures[future]
                    error = future.exception()
                    if error is None:
                        bars.hide()
                        tell(args, op, job, future.result())
                        continue
                    if not isinstance(error, (OSError, WirespeedError)):
                        raise error
                    bars.hide()
                    code = _tell_failed(args, op, job, error, code)
            except BaseException:
                stop.set()
                pool.shutdown(cancel_futures=True)
                raise
    return code


def _tell_failed(args: argparse.Namespace, op: str, job: Job, error: Exception, code: int) -> int:
    """Tell of a file that was not copied; return the exit code of the first."""
    failed = told(error, "" if isinstance(error, OSError) else job.source)
    if args.json:
        line: dict[str, object] = {"op": op, "source": job.source, "dest": job.target, "ok": False}
        if isinstance(error, WirespeedError):
            line["error"] = error.describe()
        show(line)
    return code or failed


def _copy(
    args: argparse.Namespace,
    bucket: Bucket,
    job: Job,
    limit: RateLimit | None,
    overwrite: bool,
    progress: Callable[[Progress], None],
) -> int:
    if job.up:
        return bucket.upload_file(
            job.source,
            job.target,
            workers=args.part_jobs,
            overwrite=overwrite,
            limit_rate=limit,
            progress=progress,
        ).size
    folder = os.path.dirname(job.target)
    if folder:
        os.makedirs(folder, exist_ok=True)
    if not overwrite and os.path.exists(job.target):
        raise FileExistsError(17, "File exists", job.target)
    return bucket.download_file(
        job.source, job.target, workers=args.part_jobs, limit_rate=limit, progress=progress
    ).size


def _follow(
    update: Callable[[int, int], None], stop: threading.Event
) -> Callable[[Progress], None]:
    """Return what gives a transfer's progress to its bar, and ends it once all must end."""

    def follow(progress: Progress) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        update(progress.done, progress.resumed)

    return follow


def tell(args: argparse.Namespace, op: str, job: Job, size: int) -> None:
    """Print that one was copied, where that was asked for."""
    if args.json:
        line = {"op": op, "source": job.source, "dest": job.target, "ok": True, "bytes": size}
        show({**line, "dry_run": args.dry_run})
    elif args.dry_run:
        print(f"would copy {job.source} to {job.target}")

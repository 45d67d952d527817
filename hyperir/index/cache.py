"""Files of object stores on this machine, each under its SHA-256, so that one copy serves every index that holds it.

`$XDG_CACHE_HOME/hyperir/objects`, or `~/.cache/hyperir/objects`. Files are made under another name and moved, so any
number of processes may fill the cache at once, and the folder may be removed whenever no index is open. It holds up to
`HYPERIR_CACHE_GB` gigabytes, 50 unless set: with every new file, those used longest ago go. A file that is mapped stays
readable, and one used in the last minute stays, for it may be about to be mapped.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from hyperir.core.errors import InputError
from hyperir.index import durable
from hyperir.index.place import Content

__all__ = ["fetch", "folder", "keep", "limit", "temporary"]

SUFFIX = ".part"
SETTING = "HYPERIR_CACHE_GB"
GIGABYTES = 50.0
AT_HAND = 60.0  # seconds for which a file stays after it was asked for
FORGOTTEN = 86400.0  # seconds after which nobody is still writing a file that did not grow


def folder() -> Path:
    """Where the files are."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hyperir" / "objects"


def limit() -> int:
    """Bytes that the cache may hold.

    Raises:
        InputError: the setting is no number.
    """
    said = os.environ.get(SETTING)
    try:
        size = float(said) if said else GIGABYTES
    except ValueError:
        size = -1.0
    if not 0 <= size < float("inf"):
        raise InputError(f"{SETTING} counts gigabytes", expected="a number, 0 or more", got=repr(said))
    return int(size * 1e9)


def temporary() -> Path:
    """A path for a new file beside the cached ones. Also removes what processes left that were killed."""
    root = folder()
    root.mkdir(parents=True, exist_ok=True)
    oldest = time.time() - FORGOTTEN
    for path in root.glob(f"*{SUFFIX}"):
        with suppress(OSError):  # another process removed it first
            if path.stat().st_mtime < oldest:
                path.unlink()
    return root / f"{uuid.uuid4().hex}{SUFFIX}"


def keep(path: Path, content: Content) -> Path:
    """Move a finished file to where `fetch` finds it, and make room for it."""
    kept = path.replace(folder() / content.sha256)
    os.utime(kept)
    _make_room()
    return kept


def _make_room() -> None:
    """Remove the files that were used longest ago, until the rest are within the limit."""
    found = []
    for path in folder().iterdir():
        with suppress(OSError):  # another process removed it first
            if path.suffix != SUFFIX:
                facts = path.stat()
                found.append((facts.st_mtime, facts.st_size, path))
    over, recent = sum(size for _, size, _ in found) - limit(), time.time() - AT_HAND
    for used, size, path in sorted(found):
        if over <= 0 or used > recent:
            return
        with suppress(OSError):  # Windows keeps a file that a reader has open
            path.unlink()
            over -= size


def fetch(content: Content, download: Callable[[Path], None]) -> Path | None:
    """A file by its content, downloaded into the path given to `download` if it is not here yet.

    Returns:
        its path, or None where the downloaded file has another content.
    """
    found = folder() / content.sha256
    with suppress(FileNotFoundError):
        if found.stat().st_size == content.size:
            os.utime(found)  # used now: not every system notes when a file is read
            return found
    path = temporary()
    try:
        download(path)
        if Content(path.stat().st_size, durable.sha256_of(path)) != content:
            return None
        return keep(path, content)
    finally:
        path.unlink(missing_ok=True)

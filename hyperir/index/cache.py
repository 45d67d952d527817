"""Files of object stores on this machine, each under its SHA-256, so that one copy serves every index that holds it.

`$XDG_CACHE_HOME/hyperir/objects`, or `~/.cache/hyperir/objects`. Files are made under another name and moved, so any
number of processes may fill the cache at once, and the folder may be removed whenever no index is open.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from hyperir.index import durable
from hyperir.index.place import Content

__all__ = ["fetch", "folder", "keep", "temporary"]

SUFFIX = ".part"
FORGOTTEN = 86400.0  # seconds after which nobody is still writing a file that did not grow


def folder() -> Path:
    """Where the files are."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hyperir" / "objects"


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
    """Move a finished file to where `fetch` finds it."""
    return path.replace(folder() / content.sha256)


def fetch(content: Content, download: Callable[[Path], None]) -> Path | None:
    """A file by its content, downloaded into the path given to `download` if it is not here yet.

    Returns:
        its path, or None where the downloaded file has another content.
    """
    found = folder() / content.sha256
    with suppress(FileNotFoundError):
        if found.stat().st_size == content.size:
            return found
    path = temporary()
    try:
        download(path)
        if Content(path.stat().st_size, durable.sha256_of(path)) != content:
            return None
        return keep(path, content)
    finally:
        path.unlink(missing_ok=True)

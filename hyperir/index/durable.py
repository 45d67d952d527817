"""What makes a write survive a power loss: synced files, synced folders, and names that appear all at once."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

__all__ = ["at_once", "publish", "sha256_of", "sync_all", "sync_file", "sync_folder"]

BLOCK = 1 << 20
AT_ONCE = 16  # a commit syncs about so many files and folders

T = TypeVar("T")
R = TypeVar("R")


@lru_cache(maxsize=1)
def _pool(process: int) -> ThreadPoolExecutor:
    """Threads that stay: to start them for every commit took longer than to hash it. A forked process needs its own."""
    return ThreadPoolExecutor(AT_ONCE, thread_name_prefix="hyperir-disk")


def at_once(work: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """`work` on every item, several at once, until all are done; results in order, or the first error."""
    pool = _pool(os.getpid())
    begun = [pool.submit(work, item) for item in items]
    wait(begun)
    return [one.result() for one in begun]


def sync_file(path: Path) -> None:
    """Return only when the file's bytes are on the disk."""
    with path.open("r+b") as file:
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Return only when the names in the folder are on the disk."""
    if sys.platform == "win32":  # folders cannot be opened there; NTFS journals its names
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_all(root: Path, files: Iterable[str]) -> None:
    """Sync files, given by their paths relative to `root`, and every folder between them and `root`.

    All at once: a disk takes hardly longer for many than for one.
    """
    names = list(files)
    folders = {root, *(root / parent for name in names for parent in Path(name).parents)}
    waiting = [(sync_file, root / name) for name in names]
    waiting += [(sync_folder, folder) for folder in folders]
    at_once(lambda one: one[0](one[1]), waiting)


def publish(temporary: Path, path: Path) -> None:
    """Give a synced file its final name, at once; durable when its folder is synced too.

    Raises:
        FileExistsError: the name is taken; neither file changed.
    """
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:
        # A file system without hard links. Only the holder of LOCK publishes, so nobody comes between these lines.
        if path.exists():
            raise FileExistsError(path) from None
        temporary.rename(path)
    temporary.unlink(missing_ok=True)


def sha256_of(path: Path, advance: Callable[[int], None] | None = None, without: Sequence[tuple[int, int]] = ()) -> str:
    """The file's SHA-256 as hexadecimal digits, read block by block.

    Args:
        path: of the file.
        advance: hears of every block's length.
        without: byte ranges (start, stop), ascending, that are left out and not read.
    """
    digest = hashlib.sha256()
    view = memoryview(bytearray(BLOCK))
    with path.open("rb", buffering=0) as file:
        for start, stop in (*without, (sys.maxsize, 0)):
            while count := file.readinto(view[: max(start - file.tell(), 0)]):
                digest.update(view[:count])
                if advance is not None:
                    advance(count)
            file.seek(stop)
    return digest.hexdigest()

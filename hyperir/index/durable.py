"""What makes a write survive a power loss: synced files, synced folders, and names that appear all at once."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

__all__ = ["publish", "sha256_of", "sync_all", "sync_file", "sync_folder"]

BLOCK = 1 << 20
AT_ONCE = 8


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
    """Sync files, given by their paths relative to `root`, and then every folder between them and `root`.

    Several at once: a disk takes hardly longer for eight than for one.
    """
    names = list(files)
    folders = {root, *(root / parent for name in names for parent in Path(name).parents)}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(sync_file, [root / name for name in names]))  # a list, so that errors are raised
        list(pool.map(sync_folder, folders))


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


def sha256_of(path: Path, advance: Callable[[int], None] | None = None) -> str:
    """The file's SHA-256 as hexadecimal digits, read block by block; `advance` hears of every block's length."""
    digest = hashlib.sha256()
    buffer = bytearray(BLOCK)
    view = memoryview(buffer)
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            digest.update(view[:count])
            if advance is not None:
                advance(count)
    return digest.hexdigest()

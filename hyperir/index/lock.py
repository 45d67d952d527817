"""One writer at a time, across processes. The system frees the lock when its holder dies, however it dies."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hyperir.core.errors import LockedError, StoreError

__all__ = ["Held", "exclusive", "try_lock"]

NAME = "LOCK"
PAUSE = 0.02  # seconds between two attempts

if sys.platform == "win32":
    import msvcrt

    FAR = 1 << 30  # the locked byte; the first ones stay readable, so that others can read who holds the lock

    def try_lock(descriptor: int) -> bool:
        """Take the lock of an opened file, or say that another one has it."""
        os.lseek(descriptor, FAR, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
else:
    import fcntl

    def try_lock(descriptor: int) -> bool:
        """Take the lock of an opened file, or say that another one has it."""
        # flock, not lockf: it belongs to the opened file, so two writers of one process exclude each other as well.
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


class Held:
    """The lock while it is held.

    Args:
        dirty: the last holder died or could not clear what it left, so the folder may hold files of no commit. Left
            true at the end, the next holder is told so.
    """

    taken_over = False  # the system takes a lock from nobody who lives

    def __init__(self, dirty: bool) -> None:
        self.dirty = dirty

    def fenced(self) -> None:
        """Nothing to remember."""


@contextmanager
def exclusive(root: Path, wait: float = 0.0) -> Iterator[Held]:
    """Hold the index's write lock.

    The file says who holds it and is emptied at the end, so that a holder's death shows in it. Whoever syncs files
    syncs it with them, so that after a loss of power it shows as well.

    Args:
        root: the index folder.
        wait: seconds to wait for another writer.

    Raises:
        LockedError: another writer holds it; names the process and the host.
        StoreError: the folder cannot be written.
    """
    path = root / NAME
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise _unwritable(root, error) from error
    try:
        until = time.monotonic() + wait
        while not try_lock(descriptor):
            if time.monotonic() >= until:
                raise LockedError(
                    f"{root} is being written by {_holder(path)}",
                    fix="wait until it is done; the lock frees itself when that process ends",
                )
            time.sleep(PAUSE)
        held = Held(dirty=os.fstat(descriptor).st_size > 0)
        try:
            os.lseek(descriptor, 0, os.SEEK_SET)
            length = os.write(descriptor, json.dumps({"pid": os.getpid(), "host": socket.gethostname()}).encode())
            os.ftruncate(descriptor, length)  # afterwards: the file is never empty in between
        except OSError as error:
            raise _unwritable(root, error) from error
        try:
            yield held
        finally:
            if not held.dirty:
                os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def _unwritable(root: Path, error: OSError) -> StoreError:
    return StoreError(f"cannot write to {root}", got=str(error), fix="check the folder's permissions and the disk")


def _holder(path: Path) -> str:
    try:
        record = json.loads(path.read_bytes())
        pid, host = record["pid"], record["host"]
    except (OSError, ValueError, KeyError, TypeError):  # between taking the lock and saying so
        return "another process"
    return f"process {pid} on {host}" + (" (this process)" if pid == os.getpid() else "")

"""One writer at a time where there are no file locks: an object that its holder renews, and that others take when old.

Every step is a conditional write, so of two writers one succeeds. An old lock is told by the server's clock alone; a
holder counts by its own, from before its request was sent, so it stops before anyone may take over. A holder that was
frozen in between finds out at its next `check`; what it cannot find out in time, its commit, the new holder prevents.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from hyperir.core.errors import HyperIRError, LockedError, StoreError
from hyperir.index.bucket import Bucket, ChangedError, Head

__all__ = ["Lease", "lease"]

SECONDS = 30.0  # without renewal, and the lock is free
PAUSE = 0.5  # seconds between two looks at another's lock
ROUNDING = 1.0  # the server's times are whole seconds


class Lease:
    """The lock, held; made by `lease`.

    Args:
        bucket: where it is.
        key: of the object.
        seconds: how long it holds without renewal.
    """

    def __init__(self, bucket: Bucket, key: str, seconds: float) -> None:
        self._bucket, self._key, self._seconds = bucket, key, seconds
        self._record = {"pid": os.getpid(), "host": socket.gethostname(), "token": uuid.uuid4().hex, "seconds": seconds}
        self._renewals = 0
        self._tag = ""
        self._until = 0.0
        self.taken_over = False
        self.dirty = False

    def take(self, wait: float) -> None:
        """Get the lock, at the latest after `wait` seconds."""
        until = time.monotonic() + wait
        while True:
            head = self._bucket.head(self._key)
            if head is None or head.age > _seconds(head) + ROUNDING:
                try:
                    self._write(head.tag if head else None)
                except (FileExistsError, ChangedError):  # another one was faster
                    continue
                self.taken_over = self.dirty = head is not None
                return
            if time.monotonic() >= until:
                raise LockedError(
                    f"s3://{self._bucket.name}/{self._key} is held by {_holder(head)}",
                    fix=f"wait until it is done; the lock of a killed process is free after {_seconds(head):g} seconds",
                )
            time.sleep(min(PAUSE, max(until - time.monotonic(), 0.0)))

    def fenced(self) -> None:
        """The writer from whom the lock was taken can do no more harm."""
        self.taken_over = False

    def doubt(self) -> None:
        """A write of this holder may yet arrive: who comes next has to prevent it, as that of one who sleeps."""
        self.taken_over = True

    def check(self) -> None:
        """Do nothing while the lock is surely held.

        Raises:
            LockedError: it was lost, or could not be renewed for too long.
        """
        if time.monotonic() >= self._until:
            raise LockedError(
                f"the lock s3://{self._bucket.name}/{self._key} was lost",
                got=f"no renewal for {self._seconds:g} seconds: this process slept, or the store did not answer",
                fix="start again; what was not committed is removed by the next writer",
            )

    def renew_until(self, stop: threading.Event) -> None:
        """Renew the lock three times as often as needed, until told to stop or it belongs to another."""
        while not stop.wait(self._seconds / 3):
            try:
                self._write(self._tag)
            except ChangedError:
                self._until = 0.0
                return
            except (OSError, HyperIRError):  # the store does not answer: once more, and `check` knows the time
                continue

    def release(self) -> None:
        """Give the lock back. Where that fails, or the next holder has to clear up, it is free when it is old."""
        if self.taken_over or self.dirty:
            return
        with suppress(OSError):
            self._bucket.delete(self._key, self._tag)

    def _write(self, replaces: str | None) -> None:
        # Every record differs, and so does its tag: who saw an older one cannot take what was renewed since.
        self._renewals += 1
        text = json.dumps({**self._record, "renewals": self._renewals})
        sent = time.monotonic()
        try:
            self._tag = self._bucket.put(self._key, text.encode(), text, replaces)
        except (FileExistsError, ChangedError):
            head = self._bucket.head(self._key)
            if head is None or head.note != text:
                raise
            self._tag = head.tag  # the answer to our own write was lost, and it was sent again
        self._until = sent + self._seconds


@contextmanager
def lease(bucket: Bucket, key: str, wait: float = 0.0, seconds: float = SECONDS) -> Iterator[Lease]:
    """Hold the lock at a key.

    Args:
        bucket: where it is.
        key: of the object.
        wait: seconds to wait for another writer.
        seconds: how long the lock outlives a holder that was killed.

    Raises:
        LockedError: another writer holds it; names the process and the host.
        StoreError: the store cannot be written.
    """
    held = Lease(bucket, key, seconds)
    try:
        held.take(wait)
    except OSError as error:
        raise StoreError(
            f"cannot write to s3://{bucket.name}/{key}", got=str(error), fix="check the address and your permissions"
        ) from error
    stop = threading.Event()
    thread = threading.Thread(target=held.renew_until, args=(stop,), name=f"lock of {key}", daemon=True)
    thread.start()
    try:
        yield held
    finally:
        stop.set()
        thread.join()
        held.release()


def _parsed(head: Head) -> dict[str, Any]:
    try:
        record = json.loads(head.note)
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}


def _seconds(head: Head) -> float:
    seconds = _parsed(head).get("seconds")
    return float(seconds) if isinstance(seconds, int | float) else SECONDS


def _holder(head: Head) -> str:
    record = _parsed(head)
    if "pid" not in record or "host" not in record:
        return "another process"
    own = record["pid"] == os.getpid() and record["host"] == socket.gethostname()
    return f"process {record['pid']} on {record['host']}" + (" (this process)" if own else "")

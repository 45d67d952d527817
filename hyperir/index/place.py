"""Where an index lives: a folder of this machine, or a prefix of an object store; the room sees no difference.

Names are paths relative to the index, with forward slashes. Trouble is an `OSError`, as it is for files:
`FileNotFoundError` and `FileExistsError` where they are meant.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple, Protocol

from hyperir.core.errors import InputError

__all__ = ["Content", "Hold", "Place", "TableAddress", "place_at"]

# `Path("s3://bucket/name")` has lost a slash; nobody means a folder called "s3:".
SCHEME = re.compile(r"([a-z][a-z0-9+.-]+):/{1,2}(?=[^/])")


class Content(NamedTuple):
    """What a file holds: its size in bytes and its SHA-256 as hexadecimal digits."""

    size: int
    sha256: str


class TableAddress(NamedTuple):
    """What Lance needs to find a table: where it is, and the options of its storage."""

    uri: str
    options: dict[str, str] | None


class Hold(Protocol):
    """The write lock, while it is held.

    `taken_over` says that it was taken from a writer that stopped renewing it and may yet wake up. Its commit must be
    made impossible before anything is removed: by publishing a commit under the number that it would use. Then say
    `fenced()`; a lock that is let go before is not given back, so that the next holder knows as well.
    """

    @property
    def taken_over(self) -> bool: ...

    def fenced(self) -> None:
        """The writer from whom the lock was taken can do no more harm."""
        ...

    def check(self) -> None:
        """Do nothing while the lock is held.

        Raises:
            LockedError: it was lost; nothing more may be written.
        """
        ...


class Place(Protocol):
    """Where an index lives. `str(place)` is its address, as users write it; a place can be pickled."""

    def names(self, folder: str = "") -> list[str]:
        """Names of the files and folders directly in a folder; none where it does not exist."""
        ...

    def files(self, folder: str = "") -> dict[str, int]:
        """Sizes of all files in a folder and below it, by name; none where it does not exist."""
        ...

    def read(self, name: str) -> bytes:
        """The bytes of a small file."""
        ...

    def sha256(self, name: str, advance: Callable[[int], None] | None = None) -> str:
        """The hash of a file as it is stored now; `advance` hears of every block's length."""
        ...

    def local(self, name: str, content: Content) -> Path:
        """An immutable file as a file of this machine, to be mapped into memory.

        Raises:
            CorruptError: the file had to be brought here, and it is not as committed.
        """
        ...

    def prepare(self, folders: Iterable[str] = ()) -> None:
        """Make the place and folders in it, where they do not exist."""
        ...

    def begin(self, name: str) -> Path:
        """Where to write a new file; its folder exists, the file does not. It is part of the place once settled."""
        ...

    def settle(self, names: Iterable[str]) -> dict[str, Content]:
        """Make new files durable: those begun here, and those that Lance wrote into the place.

        Returns:
            what they hold. Only now may a commit name them.
        """
        ...

    def discard(self) -> None:
        """Drop the files that were begun and not settled."""
        ...

    def publish(self, name: str, data: bytes) -> None:
        """Make a file appear whole, at once and durably.

        Raises:
            FileExistsError: the name is taken; nothing changed.
        """
        ...

    def remove(self, names: Iterable[str]) -> None:
        """Remove files; one that is gone already is no error."""
        ...

    def prune(self, folder: str) -> None:
        """Remove the folders in a folder that hold no file."""
        ...

    def clear(self) -> None:
        """Remove the index, all of it."""
        ...

    def table(self, name: str) -> TableAddress:
        """A Lance table or one of its files."""
        ...

    def lock(self, wait: float = 0.0) -> AbstractContextManager[Hold]:
        """Hold the write lock of the index.

        Args:
            wait: seconds to wait for another writer.

        Raises:
            LockedError: another writer holds it; names the process and the host.
            StoreError: the place cannot be written.
        """
        ...


def place_at(address: str | Path) -> Place:
    """The place of an address: `s3://bucket/name`, or a path of this machine.

    Raises:
        InputError: an address that cannot be used.
        MissingExtraError: a package that this kind of place needs is not installed.
    """
    match = SCHEME.match(str(address))
    if match is None:
        from hyperir.index.folder import LocalFolder

        return LocalFolder(Path(address).absolute())
    if match[1] != "s3":
        raise InputError(
            f"an index cannot live at {address}",
            expected="a folder, or s3://bucket/name",
            got=f"an address of the kind {match[1]}",
        )
    from hyperir.index.objects import ObjectStore

    return ObjectStore.at(str(address)[match.end() :])

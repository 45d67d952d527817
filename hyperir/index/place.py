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

__all__ = ["TEMPORARY", "Content", "Hold", "Place", "TableAddress", "UnconfirmedError", "place_at"]

TEMPORARY = ".tmp"  # at the end of the name of a file that is not part of the index yet

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


class UnconfirmedError(OSError):
    """A file has appeared, but not surely for good, or what ends with it has not."""


class Hold(Protocol):
    """The write lock, while it is held.

    Args:
        dirty: the last holder died or could not clear what it left, so there may be files of no commit. Left true at
            the end, the next holder is told so.
        taken_over: the last holder may yet wake up. Its commit must be made impossible before anything is removed: by
            publishing one under the number that it would use. Then say `fenced()`; where nobody did, the next holder
            is told so.
    """

    dirty: bool

    @property
    def taken_over(self) -> bool: ...

    def fenced(self) -> None:
        """The writer from whom the lock was taken can do no more harm."""
        ...


class Place(Protocol):
    """Where an index lives. `str(place)` is its address, as users write it; a place can be pickled."""

    @property
    def path(self) -> Path | str:
        """The address: a folder of this machine, or the text of any other."""
        ...

    def names(self, folder: str = "") -> list[str]:
        """Names of the files and folders directly in a folder; none where it does not exist."""
        ...

    def files(self, folder: str = "") -> dict[str, int]:
        """Sizes of all files in a folder and below it, by name; none where it does not exist."""
        ...

    def sizes(self, names: Iterable[str]) -> dict[str, int]:
        """Sizes of some files, by name; those that are not there, or cannot be seen, are left out."""
        ...

    def read(self, name: str, start: int = 0) -> bytes:
        """The bytes of a small file, or of the end of any, from byte `start` on."""
        ...

    def sha256(self, name: str, advance: Callable[[int], None] | None = None) -> str:
        """The hash of a file as it is stored now; `advance` hears of every block's length."""
        ...

    def stamp(self, name: str) -> tuple[int, ...] | None:
        """What is another one once a file was written again; None where a file can only be replaced as a whole."""
        ...

    def local(self, name: str, content: Content | None) -> Path:
        """An immutable file as a file of this machine, to be mapped into memory.

        Args:
            name: of the file.
            content: as committed; None for one that was begun here and is not settled.

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
        """Bring new files into the place: those begun here; Lance's are there already.

        Returns:
            what they hold, for the commit that names them.
        """
        ...

    def replace(self, begun: str, name: str) -> None:
        """Put a file that was begun, under a name of its own, in the place of a damaged one."""
        ...

    def publish(self, name: str, data: bytes, new: Iterable[str] = (), ended: Iterable[str] = ()) -> None:
        """Make a file appear whole, at once and durably: a commit.

        Args:
            name: of the file.
            data: its bytes.
            new: files that have to be durable before it appears.
            ended: files that are removed once it is durable.

        Raises:
            FileExistsError: the name is taken; nothing changed.
            UnconfirmedError: it is there, but may not survive, or some of `ended` are there as well.
            LockedError: the lock was lost before; nothing changed.
        """
        ...

    def remove(self, names: Iterable[str]) -> bool:
        """Remove files, and the folders that they leave empty; one that is gone already is no error.

        Returns:
            false where a file is still there, because a reader has it open or it may still be needed.
        """
        ...

    def prune(self, folder: str) -> None:
        """Remove the folders in a folder that hold no file."""
        ...

    def free(self) -> int | None:
        """Bytes that there is room for, or None where nobody knows."""
        ...

    def check(self) -> None:
        """Do nothing while the lock that was taken here is held.

        Raises:
            LockedError: it was lost; nothing more may be written.
        """
        ...

    def clear(self) -> None:
        """Remove the index, all of it."""
        ...

    def table(self, name: str) -> TableAddress:
        """A Lance table or one of its files."""
        ...

    def lock(self, wait: float = 0.0) -> AbstractContextManager[Hold]:
        """Hold the write lock of the index. In the end, what was begun and not settled is dropped.

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

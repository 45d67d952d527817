"""An index on an object store: the same files under a prefix of an S3 bucket, and commits by conditional writes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hyperir.core.errors import CorruptError, InputError, StoreError, UnreachableError
from hyperir.index import cache, durable
from hyperir.index.bucket import Bucket, ChangedError, lance_options
from hyperir.index.lease import SECONDS, Lease, lease
from hyperir.index.lock import NAME as LOCK
from hyperir.index.place import Content, Hold, TableAddress, UnconfirmedError

__all__ = ["ObjectStore"]

# What S3 calls safe in keys: the same in addresses, in requests and in Lance, whoever escapes what.
ADDRESS = re.compile(r"([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/([A-Za-z0-9!_.*'()-]+(?:/[A-Za-z0-9!_.*'()-]+)*)/?")


class ObjectStore:
    """A place in an S3 bucket; see `Place`.

    Args:
        bucket: its name.
        prefix: of all keys, without a slash at its end.
        seconds: how long the lock outlives a writer that was killed.
    """

    def __init__(self, bucket: str, prefix: str, seconds: float = SECONDS) -> None:
        self.prefix, self.seconds = prefix, seconds
        self._bucket = Bucket(bucket)
        self._begun: dict[str, Path] = {}
        self._tags: dict[str, str] = {}
        self._lease: Lease | None = None

    @classmethod
    def at(cls, address: str) -> ObjectStore:
        """The place of an address without its `s3://`.

        Raises:
            InputError: no bucket and name, or characters that need escapes.
        """
        match = ADDRESS.fullmatch(address)
        if match is None or {".", ".."} & set(match[2].split("/")):
            raise InputError(
                f"an index cannot live at s3://{address}",
                expected="s3://bucket/name, of letters, digits and ! _ . * ' ( ) - between the slashes",
            )
        return cls(match[1], match[2])

    def __str__(self) -> str:
        return f"s3://{self._bucket.name}/{self.prefix}"

    def __repr__(self) -> str:
        return f"ObjectStore({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ObjectStore) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))

    @property
    def path(self) -> str:
        return str(self)

    def _key(self, name: str) -> str:
        return f"{self.prefix}/{name}"

    def _folder(self, name: str) -> str:
        return self._key(f"{name.rstrip('/')}/" if name else "")

    def names(self, folder: str = "") -> list[str]:
        start = self._folder(folder)
        return [key[len(start) :].rstrip("/") for key, _, _ in self._bucket.keys(start, deep=False) if key != start]

    def files(self, folder: str = "") -> dict[str, int]:
        found = {}
        for key, size, tag in self._bucket.keys(self._folder(folder), deep=True):
            if not key.endswith("/"):  # a folder as consoles make them
                name = key[len(self.prefix) + 1 :]
                found[name], self._tags[name] = size, tag
        return found

    def sizes(self, names: Iterable[str]) -> dict[str, int]:
        wanted = set(names)
        return {name: size for name, size in self.files().items() if name in wanted} if wanted else {}

    def read(self, name: str, start: int = 0) -> bytes:
        return self._bucket.get(self._key(name), start)

    def sha256(self, name: str, advance: Callable[[int], None] | None = None) -> str:
        return self._content(name, advance).sha256

    def stamp(self, name: str) -> None:
        """An object cannot be written into, and its bytes are the store's to keep."""

    def _content(self, name: str, advance: Callable[[int], None] | None = None) -> Content:
        digest = hashlib.sha256()

        def take(block: bytes) -> None:
            digest.update(block)
            if advance is not None:
                for start in range(0, len(block), durable.BLOCK):
                    advance(min(durable.BLOCK, len(block) - start))

        size = self._bucket.stream(self._key(name), take)
        return Content(size, digest.hexdigest())

    def local(self, name: str, content: Content | None) -> Path:
        if content is None:
            return self._begun[name]
        path = cache.fetch(content, lambda path: self._bucket.download(self._key(name), path))
        if path is None:
            raise CorruptError(
                f"{name} in {self} is damaged",
                expected=f"{content.size:,} bytes, as they were committed",
                got="another size or SHA-256",
                fix=f'"hyperir verify {self}" lists everything that is damaged',
            )
        return path

    def prepare(self, folders: Iterable[str] = ()) -> None:
        """Nothing to do: the keys make the folders."""

    def begin(self, name: str) -> Path:
        if name in self._begun:
            raise FileExistsError(f"{self}/{name}")
        self._begun[name] = cache.temporary()
        return self._begun[name]

    def settle(self, names: Iterable[str]) -> dict[str, Content]:
        self.check()
        found = {}
        for name in names:
            path = self._begun.get(name)
            if path is None:
                found[name] = self._content(name)
                continue
            found[name] = Content(path.stat().st_size, durable.sha256_of(path))
            self._bucket.upload(path, self._key(name))
            cache.keep(path, found[name])
            del self._begun[name]
        return found

    def replace(self, begun: str, name: str) -> None:
        self.check()
        self._bucket.upload(self._begun[begun], self._key(name))
        self._tags.pop(name, None)

    def publish(self, name: str, data: bytes, new: Iterable[str] = (), ended: Iterable[str] = ()) -> None:
        self.check()
        try:
            self._bucket.put(self._key(name), data)
        except FileExistsError:
            if self.read(name) != data:  # else the answer was lost, and the request was sent again
                raise
        except (OSError, UnreachableError):  # it may have arrived, or do so later
            if self._lease is not None:
                self._lease.doubt()
            raise
        try:
            whole = self.remove(ended)
        except (OSError, StoreError) as error:
            raise UnconfirmedError(f"{self}: {error}") from error
        if not whole:
            raise UnconfirmedError(f"{self}: older commits are still there")

    def remove(self, names: Iterable[str]) -> bool:
        self.check()
        names, whole = list(names), True
        if self._lease is not None and self._lease.taken_over:  # a commit may yet appear that names them
            return not names
        for name in names:
            if (begun := self._begun.pop(name, None)) is not None:
                begun.unlink(missing_ok=True)
                continue
            # As it was listed. A writer that slept through the loss of its lock cannot hit a new file of an old name.
            try:
                self._bucket.delete(self._key(name), self._tags.pop(name, None))
            except ChangedError:
                whole = False
        return whole

    def prune(self, folder: str) -> None:
        """Nothing to do: a folder goes with its last file."""

    def free(self) -> None:
        """Nobody knows."""

    def check(self) -> None:
        if self._lease is not None:
            self._lease.check()

    def clear(self) -> None:
        self.remove(self.files())

    def table(self, name: str) -> TableAddress:
        return TableAddress(f"{self}/{name}", lance_options())

    @contextmanager
    def lock(self, wait: float = 0.0) -> Iterator[Hold]:
        with lease(self._bucket, self._key(LOCK), wait, self.seconds) as held:
            self._lease = held
            try:
                yield held
            finally:
                self._lease = None
                while self._begun:
                    self._begun.popitem()[1].unlink(missing_ok=True)

    def __reduce__(self) -> Any:
        return (ObjectStore, (self._bucket.name, self.prefix, self.seconds))

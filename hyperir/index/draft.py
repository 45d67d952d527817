"""A commit in the making: what changes step by step until it is published."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from hyperir.index import commit as commits
from hyperir.index import retention, table, tombstones
from hyperir.index.before import apart
from hyperir.index.commit import Column, Commit, FileRecord, Fitted, Generation, Structure
from hyperir.index.place import Content, Place
from hyperir.index.tombstones import Keys

__all__ = ["Draft"]


@dataclass
class Draft:
    """The index after a change that nobody sees yet. It starts as the newest commit, by `Draft.of`.

    Args:
        place: where the index is, locked by this process.
        base: the commit that the change goes on top of.
        version: of the Lance table.
        generations: in row order.
        dead: keys of deleted rows that are stored, ascending.
        documents: alive.
        next_key: greater than every key given.
        empty_texts: documents alive without text.
        metadata: columns, or None before the first rows.
        indexed: names of the columns with a scalar index.
        structures: what searches use, oldest first.
        fitted: relevance functions fitted to the index, the one in use last.
        base_dead: `dead` as it was in the base.
        scratch: packed files written and replaced before anyone saw them.
    """

    place: Place
    base: Commit
    version: int
    generations: tuple[Generation, ...]
    dead: Keys
    next_key: int
    empty_texts: int
    metadata: tuple[Column, ...] | None
    indexed: tuple[str, ...]
    structures: tuple[Structure, ...]
    fitted: tuple[Fitted, ...]
    base_dead: Keys
    scratch: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, place: Place, base: Commit, dead: Keys | None = None) -> Draft:
        """The newest commit, not yet changed; `dead` where its tombstones are in memory already."""
        dead = tombstones.read(place, base) if dead is None else dead
        return cls(
            place=place,
            base=base,
            version=base.lance_version,
            generations=base.generations,
            dead=dead,
            base_dead=dead,
            next_key=base.next_key,
            empty_texts=base.empty_texts,
            metadata=base.metadata,
            indexed=base.indexed,
            structures=base.structures,
            fitted=base.fitted,
        )

    @property
    def stored(self) -> int:
        """Rows, dead ones included."""
        return sum(generation.documents for generation in self.generations)

    def publish(self, change: str, *, keep: int | None = None) -> Commit:
        """Sync what is new, publish the commit, and give up old snapshots.

        Args:
            change: what was done, in words.
            keep: how many of the newest commits stay, this one included; None keeps `RETAIN`.

        Raises:
            StoreError: the commit is there, but the disk did not confirm it.
            OSError: it is not there.
        """
        commit, new = self.sealed(change, self.base.number + 1)
        between = self._between() - commit.files.keys() - self.base.files.keys()
        retention.publish(self.place, commit, new, keep)
        self.place.remove(sorted(between))
        return commit

    def sealed(self, change: str, number: int) -> tuple[Commit, list[str]]:
        """The commit, not yet published, and the files that it names and the base does not."""
        base = self.base
        tombs = base.tombstones
        if not np.array_equal(self.dead, self.base_dead):
            tombs = (tombstones.write(self.place, self.dead),) if len(self.dead) else ()
        if self.version == base.lance_version:
            rows = [name for name in base.files if name.startswith(f"{table.FOLDER}/")]
        else:
            rows = table.files_of_version(self.place, self.version)
        built = [structure.file for structure in self.structures]
        built += [file for fitted in self.fitted for file in fitted.files]
        named = [*rows, *(generation.file for generation in self.generations), *tombs, *built]
        new = [name for name in named if name not in base.files]
        settled = {name: self._record(name, content) for name, content in self.place.settle(new).items()}
        commit = Commit(
            number=number,
            parent=base.number,
            created=commits.now(),
            change=change,
            index_created=base.index_created,
            lance_version=self.version,
            documents=self.stored - len(self.dead),
            stored=self.stored,
            next_key=self.next_key,
            empty_texts=self.empty_texts,
            width=base.width,
            dtype=base.dtype,
            kind=base.kind,
            encoder=base.encoder,
            metadata=self.metadata,
            generations=self.generations,
            tombstones=tombs,
            indexed=self.indexed,
            structures=self.structures,
            fitted=self.fitted,
            files={name: base.files.get(name) or settled[name] for name in named},
        )
        return commit, new

    def _record(self, name: str, content: Content) -> FileRecord:
        holds_rows = name.startswith(table.DATA)
        return FileRecord(
            size=content.size, sha256=content.sha256, apart=apart(self.place, name) if holds_rows else None
        )

    def _between(self) -> set[str]:
        """Files of steps on the way that the next step replaced."""
        versions = range(self.base.lance_version + 1, self.version)
        return {*self.scratch, *(name for v in versions for name in table.files_of_version(self.place, v))}

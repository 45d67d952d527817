"""Which queries are learned from, which validate, and which test; and which documents stay unseen.

A document's and a query's part is a hash of its id, so that it is the same in every run with the seed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from hyperir.core.errors import InputError
from hyperir.train.adapting.asked import NAMES, Asked
from hyperir.train.adapting.settings import Settings

__all__ = ["LEAST", "Held", "Split", "is_held", "split"]

LEAST = 10  # queries of each part, without which a test says nothing
MOST = {"test": 1000, "validation": 300}  # queries of each part; more only take time


@dataclass
class Held:
    """Queries that nothing is learned from.

    Args:
        queries: texts by id.
        qrels: the documents that answer them.
        ignored: documents left out of a query's answers: they answer it as well, and belong to another part.
    """

    queries: dict[str, str] = field(default_factory=dict)
    qrels: dict[str, dict[str, int]] = field(default_factory=dict)
    ignored: dict[str, set[str]] = field(default_factory=dict)

    def add(self, asked: Asked, grades: Mapping[str, int]) -> None:
        """One more, answered by some of its documents."""
        self.queries[asked.id] = asked.text
        self.qrels[asked.id] = dict(grades)
        self.ignored[asked.id] = set(asked.grades) - set(grades)

    def cut(self, most: int, seed: int) -> None:
        """Keep so many, by their hashes."""
        for query in sorted(self.queries, key=lambda id_: _place(seed, "cut", id_))[most:]:
            for each in (self.queries, self.qrels, self.ignored):
                del each[query]

    def __len__(self) -> int:
        return len(self.queries)


@dataclass
class Split:
    """All queries, each in its part. `new` means: about documents that are kept from training.

    Args:
        learned: what is learned from, with the documents that may be seen.
        parts: held-out queries by part: "validation", "validation new", "test", "test new".
        kind: of the held-out queries.
    """

    learned: list[Asked]
    parts: dict[str, Held]
    kind: str


def is_held(id_: str, settings: Settings) -> str:
    """The part that a document is kept for: "test", "validation" or "" for training."""
    return _part(_place(settings.seed, "document", id_), settings.held_documents)


def split(asked: Iterable[Asked], settings: Settings) -> Split:
    """Put every query into its part. All of them know documents that answer them.

    The queries of judges test where there are any, else those of a log, else those that a model wrote, else those made
    of documents. The others are learned from, as far as they are not about held documents.

    Raises:
        InputError: there are too few; says how few.
    """
    asked = list(asked)
    kinds = {each.kind for each in asked}
    testing = next((kind for kind in ("judged", "log", "generated", "made") if kind in kinds), "made")
    learned: list[Asked] = []
    parts = {name: Held() for name in ("validation", "validation new", "test", "test new")}
    for each in asked:
        own: dict[str, dict[str, int]] = {"": {}, "test": {}, "validation": {}}
        for id_, grade in each.grades.items():
            own[is_held(id_, settings)][id_] = grade
        part = _part(_place(settings.seed, "query", each.text), settings.held_queries) if own[""] else ""
        if each.kind != testing:
            part = ""
        elif part or not own[""]:
            if own[""]:
                parts[part].add(each, own[""])
            for name in ("test", "validation"):
                if own[name] and part in ("", name):
                    parts[f"{name} new"].add(each, own[name])
                    break
        if own[""] and not part:
            learned.append(Asked(each.id, each.text, own[""], each.kind))
    for name, held in parts.items():
        held.cut(MOST[name.split()[0]], settings.seed)
    _check(learned, parts, testing, settings)
    return Split(learned, parts, testing)


def _check(learned: list[Asked], parts: Mapping[str, Held], kind: str, settings: Settings) -> None:
    few = {name: len(held) for name, held in parts.items() if len(held) < LEAST}
    if few or len(learned) < settings.batch:
        counts = ", ".join(f"{name} {len(held)}" for name, held in parts.items())
        raise InputError(
            f"there are too few {NAMES[kind]} to learn from some and to test on others",
            expected=f"{settings.batch} to learn from and {LEAST} for each other part: some {10 * LEAST} in all",
            got=f"{len(learned)} to learn from; {counts}",
            fix="give more queries; or, where judgements are few, adapt without them: texts make queries of themselves",
        )


def _place(seed: int, what: str, id_: str) -> float:
    """Evenly in [0, 1)."""
    return int.from_bytes(hashlib.sha256(f"{seed}\n{what}\n{id_}".encode()).digest()[:8], "big") / 2**64


def _part(place: float, shares: tuple[float, float]) -> str:
    test, validation = shares
    return "test" if place < test else "validation" if place < test + validation else ""

"""Mining: for every query of a split the documents that a search likes best and that are not known to be relevant."""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hyperir.core.errors import InputError
from hyperir.core.progress import Progress
from hyperir.corpus.collection import Collection
from hyperir.search.run import Answer
from hyperir.train.data.documents import Documents
from hyperir.train.ledger import Ledger
from hyperir.train.teachers import Teacher

__all__ = ["Mining", "mine"]

BLOCK = 64  # queries searched, scored and written together


@dataclass(frozen=True)
class Mining:
    """What is kept of the documents found.

    Args:
        depth: documents looked at, a query.
        skip: the best ones left out, which are the most likely to be relevant without anybody knowing.
        keep: the best of the rest; None keeps all.
        extra: so many drawn at random of those after `keep`, as for the Hypencoder's training data.
        below: only documents with a teacher's score below this one.
        margin: only documents with a score at least this much below that of the positive with the lowest.
        grade: from which grade a document counts as relevant.
        seed: of what is drawn.
    """

    depth: int = 200
    skip: int = 0
    keep: int | None = None
    extra: int = 0
    below: float | None = None
    margin: float | None = None
    grade: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        kept = self.keep is None or self.keep >= 1
        if not (self.depth > self.skip >= 0 and kept and self.extra >= 0) or (self.extra and self.keep is None):
            raise InputError(
                "nothing would be mined so",
                expected="depth > skip >= 0, keep >= 1, and extra >= 0 only beside keep",
                got=f"depth {self.depth}, skip {self.skip}, keep {self.keep}, extra {self.extra}",
            )

    @property
    def asks(self) -> bool:
        """Whether a teacher is needed."""
        return self.below is not None or self.margin is not None


def mine(
    collection: Collection,
    split: str,
    search: Answer,
    output: Path,
    mining: Mining = Mining(),
    *,
    teacher: Teacher | None = None,
    source: Mapping[str, Any] | None = None,
    show_progress: bool = True,
) -> int:
    """Write negatives of every query of a split that has a positive. A stop loses the block at work.

    Each line is `{"query_id", "query", "negatives": ids, "scores": the search's}`, best first, after a header.

    Args:
        collection: the documents, queries and judgements.
        split: whose queries.
        search: what finds documents, by the collection's ids.
        output: the file; one that was begun so goes on.
        mining: what is kept.
        teacher: needed where `mining` asks for it.
        source: what searches, in plain values for the header.
        show_progress: show bars.

    Returns:
        How many queries were mined now.

    Raises:
        InputError: a teacher is needed and there is none, or the file is there and of other work.
    """
    if mining.asks != (teacher is not None):
        raise InputError(
            "a threshold and a teacher go together",
            expected="below or margin, with a teacher",
            got="a teacher alone" if teacher is not None else "no teacher",
        )
    queries, qrels = collection.queries(split), collection.qrels(split)
    worker = _Miner(collection, mining, search, teacher, qrels)
    wanted = [query for query in queries if worker.positives(query)]
    header = {
        "hyperir": "mine",
        "collection": collection.name,
        "split": split,
        "source": dict(source or {}),
        **vars(mining),
        "teacher": None if teacher is None else teacher.fingerprint,
    }
    with Ledger(output, header) as ledger, Progress("Mining", len(wanted), "queries", show=show_progress) as bar:
        before = ledger.done
        bar.advance(before)
        try:
            while ledger.done < len(wanted):
                some = wanted[ledger.done : ledger.done + BLOCK]
                ledger.append(worker.lines(some, [queries[query] for query in some]))
                bar.advance(len(some))
        except BaseException as error:
            error.add_note(
                f"{ledger.done:,} of {len(wanted):,} queries are mined; the same command goes on after them."
            )
            raise
        return ledger.done - before


@dataclass
class _Miner:
    collection: Collection
    mining: Mining
    search: Answer
    teacher: Teacher | None
    qrels: dict[str, dict[str, int]]
    documents: Documents | None = field(default=None)

    def positives(self, query: str) -> list[str]:
        return [id_ for id_, grade in self.qrels.get(query, {}).items() if grade >= self.mining.grade]

    def lines(self, queries: Sequence[str], texts: list[str]) -> list[dict[str, Any]]:
        positives = [self.positives(query) for query in queries]
        found = [
            list(itertools.islice(answer.items(), self.mining.skip, None))
            for answer in self.search(texts, self.mining.depth)
        ]
        found = [[(i, s) for i, s in own if i not in set(p)] for own, p in zip(found, positives, strict=True)]
        if self.teacher is not None:
            found = self._denoised(texts, found, positives)
        lines = []
        for query, text, own in zip(queries, texts, found, strict=True):
            kept = self._kept(query, own)
            ids, scores = [id_ for id_, _ in kept], [float(f"{score:.7g}") for _, score in kept]
            lines.append({"query_id": query, "query": text, "negatives": ids, "scores": scores})
        return lines

    def _kept(self, query: str, found: list[tuple[str, float]]) -> list[tuple[str, float]]:
        if self.mining.keep is None:
            return found
        rest = found[self.mining.keep :]
        # By the query, so that a run that was stopped draws the same.
        drawn = random.Random(f"{self.mining.seed} {query}").sample(range(len(rest)), min(self.mining.extra, len(rest)))
        return found[: self.mining.keep] + [rest[i] for i in sorted(drawn)]

    def _denoised(
        self, texts: list[str], found: list[list[tuple[str, float]]], positives: list[list[str]]
    ) -> list[list[tuple[str, float]]]:
        assert self.teacher is not None
        self.documents = self.documents or Documents(self.collection)
        documents = self.documents
        asked = [[*p, *(id_ for id_, _ in own)] for own, p in zip(found, positives, strict=True)]
        scores = self.teacher(texts, [[documents[id_] for id_ in ids] for ids in asked])
        clean = []
        for own, relevant, given in zip(found, positives, scores, strict=True):
            lowest = min(given[: len(relevant)])
            pairs = zip(own, given[len(relevant) :], strict=True)
            clean.append([each for each, score in pairs if self._is_negative(score, lowest)])
        return clean

    def _is_negative(self, score: float, positive: float) -> bool:
        low = self.mining.below is None or score < self.mining.below
        return low and (self.mining.margin is None or score <= positive - self.mining.margin)

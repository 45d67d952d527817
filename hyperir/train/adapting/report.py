"""What an adaptation gained, for people and for programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hyperir.core.amounts import count_text, seconds_text
from hyperir.evaluate import Scores, compare
from hyperir.train.adapting.asked import NAMES

__all__ = ["Adaptation", "Row", "row_of"]

LEARNED = {"all": "the query encoder", "head": "the relevance function"}


@dataclass(frozen=True)
class Row:
    """One test: held-out queries, before and after.

    Args:
        queries: how many.
        before: means by measure.
        after: the same of the new function.
        p: of the paired t-test on the measure that decides.
        wins: queries on which the new function is better.
        losses: on which it is worse.
    """

    queries: int
    before: dict[str, float]
    after: dict[str, float]
    p: float
    wins: int
    losses: int

    def gain(self, measure: str) -> float:
        """The mean difference."""
        return self.after[measure] - self.before[measure]


def row_of(before: Scores, after: Scores, measure: str) -> Row:
    """Test two functions on the same queries."""
    found = compare(after.by_query[measure], before.by_query[measure])
    return Row(len(before.by_query[measure]), before.means(), after.means(), found.p, found.wins, found.losses)


@dataclass(frozen=True)
class Adaptation:
    """What was done to an index, and what came of it.

    Args:
        index: where it is.
        documents: that it held.
        learned: queries learned from, by where they come from.
        tested: where the queries of the tests come from: "judged", "log", "generated" or "made".
        teacher: what scored the candidates.
        relevance: configuration of the function.
        learn: "head" or "all".
        rate, share: what validation chose: the learning rate, and the share of the trained weights.
        validation: the measure before and after on the queries that chose.
        measure: the one that decides.
        level: of the tests.
        held_out_queries: about documents that were trained with.
        held_out_documents: about documents that were in no training, as those are that are added later.
        kept: whether searches use the new function from now on.
        reason: why, or why not.
        seconds: in all, those of calls that were stopped included.
        folder: of the new model; None where it is gone.
        whole: of narrower documents, the measure on both tests with all numbers of a vector.
    """

    index: str
    documents: int
    learned: dict[str, int]
    tested: str
    teacher: tuple[str, ...]
    relevance: dict[str, Any]
    learn: str
    rate: float
    share: float
    validation: dict[str, dict[str, float]]
    measure: str
    level: float
    held_out_queries: Row
    held_out_documents: Row
    kept: bool
    reason: str
    seconds: float
    folder: Path | None = None
    whole: tuple[float, float] | None = None

    @property
    def gained(self) -> bool:
        """Whether held-out queries say that it is better, and held-out documents do not say that it is worse."""
        return refusal(self.held_out_queries, self.held_out_documents, self.measure, self.level) == ""

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self) | {"folder": None if self.folder is None else str(self.folder)}

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Adaptation:
        """What `as_dict` gave."""
        rows = {name: Row(**values[name]) for name in ("held_out_queries", "held_out_documents")}
        folder, whole = values["folder"], values.get("whole")
        return cls(
            **{
                **values,
                **rows,
                "teacher": tuple(values["teacher"]),
                "folder": None if folder is None else Path(folder),
                "whole": None if whole is None else tuple(whole),
            }
        )

    def __str__(self) -> str:
        learned = ", ".join(f"{n:,} {NAMES[kind]}" for kind, n in self.learned.items())
        rows = {"held-out queries": self.held_out_queries, "held-out documents": self.held_out_documents}
        lines = [
            f"{self.index}: {count_text(self.documents, 'document')}; {LEARNED[self.learn]} learned from {learned} in "
            f"{seconds_text(self.seconds)}, taught by {', '.join(self.teacher)}",
            f"Tested on {NAMES[self.tested]} that nothing was learned from.",
            f"{self.measure:<20} {'n':>6} {'before':>8} {'after':>8} {'p':>7}",
        ]
        for name, row in rows.items():
            before, after = row.before[self.measure], row.after[self.measure]
            lines.append(f"{name:<20} {row.queries:>6,} {before:>8.4f} {after:>8.4f} {_p(row.p):>7}")
        if self.whole is not None:
            lines.append(f"With all numbers of a vector {self.whole[0]:.4f} and {self.whole[1]:.4f}.")
        return "\n".join([*lines, self.reason])


def refusal(queries: Row, documents: Row, measure: str, level: float) -> str:
    """Why a function is not kept; empty where it is."""
    if queries.gain(measure) <= 0 or queries.p >= level:
        return f"held-out queries do not show that it is better ({queries.gain(measure):+.4f}, p {_p(queries.p)})"
    if documents.gain(measure) < 0 and documents.p < level:
        return f"on documents that training never saw it is worse (p {_p(documents.p)}), as it would be on later ones"
    return ""


def _p(p: float) -> str:
    return "<.001" if p < 0.001 else f"{p:.3f}".lstrip("0") if p < 1 else "1.000"

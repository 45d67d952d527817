"""The laws: what every member of every table obeys. A new member is tested before its author writes a test.

In a package of your own:

    import pytest
    from hyperir import testing

    @pytest.mark.parametrize("law", testing.laws("relevance", "mine"), ids=str)
    def test_laws(law):
        law()
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import wraps
from typing import Any

import torch

from hyperir.core.docs import Dense, Sparse
from hyperir.core.registry import Table
from hyperir.core.types import Docs
from hyperir.hypernet import HEADS
from hyperir.index.strategies import STRATEGIES
from hyperir.relevance import RELEVANCE
from hyperir.relevance.lexical import LEXICAL
from hyperir.relevance.qnets import QNETS
from hyperir.testing.functions import HEAD_LAWS, LEXICAL_LAWS, QNET_LAWS, RELEVANCE_LAWS
from hyperir.testing.made import KIND
from hyperir.testing.strategies import STRATEGY_LAWS
from hyperir.train.laws import TRAINING

__all__ = ["TABLES", "Law", "laws"]

Check = Callable[[Any], None]


@dataclass(frozen=True)
class Law:
    """One law about one member: call it; it raises AssertionError if the member breaks it."""

    room: str
    member: str
    check: Callable[[str], None]

    def __call__(self) -> None:
        torch.manual_seed(0)
        self.check(self.member)

    def __str__(self) -> str:
        return f"{self.room}-{self.member}-{self.check.__name__}"


def laws(room: str | None = None, member: str | None = None) -> Iterator[Law]:
    """The laws of one room or of all, for one member or for all; of a strategy, over each kind that it serves."""
    for name, (table, checks) in TABLES.items():
        for each in table if member is None else [member]:
            if room in (None, name):
                yield from (Law(name, each, over(kind)(check)) for kind in kinds_of(name, each) for check in checks)


def kinds_of(room: str, member: str) -> tuple[type[Docs], ...]:
    """The kinds of documents that a member serves: those of its `kinds`, `Dense` where it names none."""
    if room == "lexical":
        return (Sparse,)
    return tuple(vars(TABLES[room][0][member]).get("kinds", (Dense,)))


def over(kind: type[Docs]) -> Callable[[Check], Check]:
    """The same law, tried on documents of a kind, which its name then says where they are no vectors."""

    def tried(law: Check) -> Check:
        if kind is Dense:
            return law

        @wraps(law)
        def check(member: Any) -> None:
            token = KIND.set(kind)
            try:
                law(member)
            finally:
                KIND.reset(token)

        check.__name__ = f"{law.__name__}-{kind.__name__.lower()}"
        return check

    return tried


TABLES: dict[str, tuple[Table[Any], tuple[Check, ...]]] = {
    "relevance": (RELEVANCE, RELEVANCE_LAWS),
    "qnets": (QNETS, QNET_LAWS),
    "heads": (HEADS, HEAD_LAWS),
    "lexical": (LEXICAL, LEXICAL_LAWS),
    "strategies": (STRATEGIES, STRATEGY_LAWS),
    **TRAINING,
}

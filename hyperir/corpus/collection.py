"""What a collection offers, and what a reader is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, NoReturn, Protocol

from hyperir.core.errors import CollectionError, nearest
from hyperir.core.types import Row

__all__ = ["Collection", "DocumentsOnly", "Reader", "check_split"]


class Collection(Protocol):
    """Documents, and for test collections queries and judgements."""

    @property
    def name(self) -> str:
        """A short name for people: the folder's or file's."""
        ...

    @property
    def count(self) -> int | None:
        """How many documents there are, exactly; None where only reading them all would tell."""
        ...

    @property
    def splits(self) -> list[str]:
        """Names that `queries` and `qrels` take; empty where there are no judgements."""
        ...

    def documents(self) -> Iterator[Row]:
        """Stream `{"id", "text", "title", ...metadata}`; every call starts again."""
        ...

    def queries(self, split: str | None = None) -> dict[str, str]:
        """Texts by query id: all, or those judged in a split. Raises CollectionError where there are none."""
        ...

    def qrels(self, split: str) -> dict[str, dict[str, int]]:
        """Judgements, `{query id: {document id: grade}}`. Raises CollectionError where there are none."""
        ...


class Reader(Collection, Protocol):
    """A member of `READERS`: a collection that is made from its configuration and knows its own sources."""

    Config: ClassVar[Any]  # its configuration's class; a field `source`, and where records have columns, their names
    understood: ClassVar[str]  # its sources in a few words, for errors and reference pages

    @classmethod
    def accepts(cls, source: str) -> bool:
        """Whether this reader is the one for a source, judged without reading it all."""
        ...


class DocumentsOnly:
    """The part of a collection that a source without queries shares with all others of its kind."""

    @property
    def splits(self) -> list[str]:
        """None."""
        return []

    def queries(self, split: str | None = None) -> NoReturn:
        """Refuse: there are none."""
        raise self._refusal("queries")

    def qrels(self, split: str) -> NoReturn:
        """Refuse: there are none."""
        raise self._refusal("judgements")

    def _refusal(self, what: str) -> CollectionError:
        return CollectionError(
            f"the collection {getattr(self, 'name', '')!r} has documents only, and {what} were asked for",
            expected="a source with queries: a BEIR folder, a folder in MS MARCO's layout, or irds:ID",
            fix="give queries and judgements as files of their own",
        )


def check_split(split: str, splits: list[str], name: str) -> None:
    """Raise CollectionError, naming those there are, unless a split exists."""
    if split not in splits:
        raise CollectionError(
            f"the collection {name!r} has no split {split!r}",
            expected="one of " + ", ".join(splits) if splits else "no split at all: it has no judgements",
            fix=nearest(split, splits),
        )

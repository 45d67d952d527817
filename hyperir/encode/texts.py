"""What is encoded of a document, and texts checked before they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hyperir.core.errors import InputError
from hyperir.core.types import Row

__all__ = ["document_text", "sequence"]


def document_text(document: Row | str) -> str:
    """A string as it is; of a row its title and text, joined by a newline where there is a title.

    Raises:
        InputError: neither a string nor a row with a text.
    """
    if isinstance(document, str):
        return document
    if not isinstance(document, dict) or not isinstance(document.get("text"), str):
        raise InputError(
            "a document cannot be encoded",
            expected='a string, or a row {"text": ..., "title": ...}',
            got=_short(document),
        )
    title = document.get("title") or ""
    if not isinstance(title, str):
        raise InputError("a document's title is no string", expected="a string", got=_short(document))
    return f"{title}\n{document['text']}" if title else document["text"]


def query_text(query: str) -> str:
    """The query, if it is a string."""
    if not isinstance(query, str):
        raise InputError("a query cannot be encoded", expected="a string", got=_short(query))
    return query


def sequence(texts: Sequence[Any], what: str) -> Sequence[Any]:
    """The argument, if it is many texts; a single string would be taken for one text a character."""
    if isinstance(texts, str | dict):
        raise InputError(f"one {what} where many are encoded", expected=f"a list of {what}s", got=_short(texts))
    return texts


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 80 else shown[:77] + "..."

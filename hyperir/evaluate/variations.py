"""Queries as hurried people type them: one small change each, drawn by a seed, to measure how robust a system is.

Each change is drawn for a query from the seed, the kind and the query's id alone, so that it stays the same when other
queries come or go.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

from hyperir.core.errors import InputError, UnknownNameError

__all__ = ["VARIATIONS", "varied", "vary"]

SHORTEST = 4  # letters; shorter words are mostly function words, in which an error changes little
KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")


def vary(queries: Mapping[str, str], kind: str, *, seed: int = 0, errors: int = 1) -> dict[str, str]:
    """The queries, each changed.

    Args:
        queries: texts by query id.
        kind: one of VARIATIONS.
        seed: another one draws other changes.
        errors: typing errors a query, each in another word as far as there are words of four letters or more, or of
            any length where there are none; the order of words is drawn once.

    Returns:
        texts by query id; a query that cannot be changed (no letters, one word in another order) stays as it is.
    """
    if kind not in VARIATIONS:
        raise UnknownNameError("variation", kind, VARIATIONS)
    if errors < 1:
        raise InputError("errors are counted", expected="1 or more", got=str(errors))
    return {
        query: varied(text, kind, random.Random(f"{seed} {kind} {query}"), errors) for query, text in queries.items()
    }


def varied(text: str, kind: str, draw: random.Random, errors: int = 1) -> str:
    """A text with so many errors of a kind."""
    words = text.split()
    if kind == "order":
        return " ".join(_another_order(words, draw)) if len(set(words)) > 1 else text
    change = VARIATIONS[kind]
    able = [at for at, word in enumerate(words) if change(word, draw) != word]
    long = [at for at in able if len(words[at]) >= SHORTEST]
    chosen = long or able
    if not chosen:
        return text
    for at in draw.sample(chosen, min(errors, len(chosen))):
        words[at] = change(words[at], draw)
    return " ".join(words)


def _another_order(words: list[str], draw: random.Random) -> list[str]:
    while (shuffled := draw.sample(words, len(words))) == words:
        pass
    return shuffled


def _swap(word: str, draw: random.Random) -> str:
    """Two neighbouring letters change places; the first one stays, where that leaves two that differ."""
    places = [i for i in range(len(word) - 1) if word[i] != word[i + 1] and word[i : i + 2].isalnum()]
    places = [i for i in places if i] or places
    if not places:
        return word
    i = draw.choice(places)
    return word[:i] + word[i + 1] + word[i] + word[i + 2 :]


def _drop(word: str, draw: random.Random) -> str:
    """A letter is missing."""
    places = _letters(word)
    if len(word) < 2 or not places:
        return word
    i = draw.choice(places)
    return word[:i] + word[i + 1 :]


def _double(word: str, draw: random.Random) -> str:
    """A letter comes twice."""
    places = _letters(word)
    if not places:
        return word
    i = draw.choice(places)
    return word[: i + 1] + word[i] + word[i + 1 :]


def _neighbour(word: str, draw: random.Random) -> str:
    """A letter is the one beside it in its row of an English keyboard."""
    places = [i for i, letter in enumerate(word) if letter.lower() in "".join(KEYS)]
    if not places:
        return word
    i = draw.choice(places)
    row = next(row for row in KEYS if word[i].lower() in row)
    at = row.index(word[i].lower())
    key = draw.choice(row[max(0, at - 1) : at] + row[at + 1 : at + 2])
    return word[:i] + (key.upper() if word[i].isupper() else key) + word[i + 1 :]


def _letters(word: str) -> list[int]:
    """Places of letters and digits behind the first, which typists seldom miss; all where there are no others."""
    places = [i for i, letter in enumerate(word) if letter.isalnum()]
    return places[1:] or places


def _order(word: str, draw: random.Random) -> str:
    """All words in another order; a word itself stays."""
    return word


VARIATIONS: dict[str, Callable[[str, random.Random], str]] = {
    "swap": _swap,
    "drop": _drop,
    "double": _double,
    "neighbour": _neighbour,
    "order": _order,
}

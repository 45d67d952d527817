"""Marks of significance, the same in text, LaTeX and HTML, and the sentences that explain them."""

from __future__ import annotations

from hyperir.evaluate.systems import Comparisons

__all__ = ["BETTER", "WORSE", "letters", "marks", "method"]

BETTER, WORSE = "†", "‡"


def letters(found: Comparisons) -> dict[str, str]:
    """System -> a, b, ..., z, aa, ab, ...: what marks name it by where all pairs were compared."""
    named = {}
    for place, system in enumerate(found.systems):
        high, low = divmod(place, 26)
        named[system.name] = (chr(96 + high) if high else "") + chr(97 + low)
    return named


def marks(found: Comparisons, measure: str, name: str) -> str:
    """What stands beside a mean.

    With a baseline: a dagger where the system is significantly better, a double dagger where it is worse. Without one:
    the letters of the systems that it is significantly better than.
    """
    if found.baseline is not None:
        pair = found.pair(measure, name, found.baseline)
        if pair is None or not found.significant(pair):
            return ""
        return BETTER if pair.difference > 0 else WORSE
    beaten = {
        loser
        for pair in found.pairs
        if pair.measure == measure and found.significant(pair)
        for winner, loser in [(pair.a, pair.b) if pair.difference > 0 else (pair.b, pair.a)]
        if winner == name
    }
    return "".join(letter for system, letter in letters(found).items() if system in beaten)


def method(found: Comparisons, *, intervals: bool = True) -> str:
    """How it was tested, and what intervals are where they are shown."""
    if found.baseline is not None:
        marked = f"{BETTER} marks systems significantly better than {found.baseline}, {WORSE} significantly worse ones"
    else:
        marked = "Letters name the systems that one is significantly better than"
    tested = (
        f"{marked}: by both the paired t-test and the paired permutation test ({found.rounds:,} rounds), "
        f"p at most {1 - found.level:.3g} after Holm's correction over all {len(found.pairs):,} comparisons."
    )
    if not intervals:
        return tested
    return f"{tested} Intervals are {100 * found.level:.3g} % bootstrap intervals over the {found.queries:,} queries."

"""What both kinds of pictures share: axes on which .95 and 1 can be told apart, colours, and the points."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hyperir.evaluate.benching.result import Bench, Setting

__all__ = [
    "COLOURS",
    "PICTURES",
    "Picture",
    "Point",
    "colour_of",
    "frontier",
    "log_ticks",
    "points_of",
    "recall_ticks",
    "stretched",
]

WHOLE = 5e-4  # what is missed at the top of the axis: recall 1 stands where .9995 would
TICKS = (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.998, 1.0)
# Told apart with any colour vision, on white and on black (after Okabe and Ito).
COLOURS = {
    "exact": "#7f7f7f",
    "ivf": "#0086c9",
    "graph": "#e06000",
    "firstorder": "#009e73",
    "bipartite": "#c566a0",
    "graph (hypencoder)": "#d0a000",
}
OTHERS = ("#56b4e9", "#8c6bd1", "#a0522d")


@dataclass(frozen=True)
class Picture:
    """A picture of recall against work.

    Args:
        name: of its file.
        title: above it.
        work: below it.
    """

    name: str
    title: str
    work: str


PICTURES = (
    Picture("recall-scored", "What recall costs in documents scored", "documents scored for a query (mean)"),
    Picture("recall-time", "What recall costs in time", "milliseconds a query, one at a time (median)"),
)


@dataclass(frozen=True)
class Point:
    """A setting in a picture."""

    work: float
    recall: float
    setting: Setting


def points_of(bench: Bench, picture: Picture) -> dict[str, list[Point]]:
    """Points by family, ascending in work."""
    measure = f"recall@{bench.ks[0]}"
    found = {}
    for family, settings in bench.families.items():
        points = [Point(_work(s, picture), s.mean(measure), s) for s in settings]
        found[family] = sorted(points, key=lambda point: (point.work, point.recall))
    return found


def frontier(points: Sequence[Point]) -> list[Point]:
    """Those that find more than everything that is cheaper: what a line joins."""
    kept: list[Point] = []
    for point in points:
        if not kept or point.recall > kept[-1].recall:
            kept.append(point)
    return kept


def stretched(recall: float) -> float:
    """Recall on its axis: every halving of what is missed is one step."""
    return -math.log2(max(1 - recall, WHOLE))


def recall_ticks(lowest: float) -> list[float]:
    """From the last tick below the lowest recall on."""
    below = max(tick for tick in TICKS if tick <= max(lowest, 0.0))
    return [tick for tick in TICKS if tick >= below]


def log_ticks(low: float, high: float) -> list[float]:
    """Ones, twos and fives between two positive numbers; ones only where these would be many."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1, 2, 5) if high / low < 300 else (1,)
    return [step * 10.0**decade for decade in decades for step in steps if low <= step * 10.0**decade <= high]


def colour_of(families: Iterable[str]) -> dict[str, str]:
    """A colour for each."""
    others = iter(OTHERS * 9)
    return {family: COLOURS.get(family) or next(others) for family in families}


def _work(setting: Setting, picture: Picture) -> float:
    work = setting.milliseconds() if picture.name == "recall-time" else setting.mean("scored")
    return max(work, 1e-6)

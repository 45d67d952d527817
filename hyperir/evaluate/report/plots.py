"""Plots as inline SVG: means with their intervals, and each query's difference as a bar."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

from hyperir.evaluate.report.page import COLOURS

__all__ = ["difference_bars", "interval_plot", "nice_step"]

WIDTH = 480
ROW = 26
MOST_BARS = 240  # more queries than that share bars
BARS_HEIGHT = 150


def interval_plot(title: str, rows: Sequence[tuple[str, float, float, float]]) -> str:
    """Dots with whiskers, a row for each system.

    Args:
        title: plain text.
        rows: name, mean, low, high.
    """
    left = 12 + 7.2 * min(max(len(name) for name, *_ in rows), 26)
    right, top = 52, 6
    low, high = min(row[2] for row in rows), max(row[3] for row in rows)
    step = nice_step((high - low) or max(abs(high), 0.1))
    start, end = step * math.floor(low / step), step * math.ceil(high / step)
    if end <= start:
        end = start + step
    height = top + ROW * len(rows) + 24

    def x(value: float) -> float:
        return left + (value - start) / (end - start) * (WIDTH - left - right)

    parts = []
    for tick in range(round((end - start) / step) + 1):
        at, value = x(start + tick * step), start + tick * step
        parts.append(f'<line class="rule" x1="{at:.1f}" x2="{at:.1f}" y1="{top}" y2="{height - 22}"/>')
        parts.append(f'<text class="axis" x="{at:.1f}" y="{height - 6}" text-anchor="middle">{value:.3g}</text>')
    for place, (name, mean, a, b) in enumerate(rows):
        y = top + ROW * (place + 0.5)
        shown = name if len(name) <= 26 else name[:25] + "…"
        parts.append(f'<text x="{left - 10:.1f}" y="{y + 4:.1f}" text-anchor="end">{escape(shown)}</text>')
        parts.append(
            f'<g class="c{place % COLOURS}"><title>{escape(name)}: {mean:.4f}, from {a:.4f} to {b:.4f}</title>'
            f'<line x1="{x(a):.1f}" x2="{x(b):.1f}" y1="{y:.1f}" y2="{y:.1f}" stroke-width="2"/>'
            f'<circle cx="{x(mean):.1f}" cy="{y:.1f}" r="4.5"/></g>'
        )
        parts.append(f'<text x="{WIDTH - right + 10}" y="{y + 4:.1f}">{mean:.4f}</text>')
    return _svg(title, height, parts)


def difference_bars(title: str, differences: Mapping[str, float], *, largest: float = 0.0) -> str:
    """A bar for each query's difference, in the order given; where there are many queries a bar is a mean of some.

    Args:
        title: plain text.
        differences: query id -> difference.
        largest: the axis goes at least to it and its negative, so that several plots can share their scale.
    """
    items = list(differences.items())
    share = math.ceil(len(items) / MOST_BARS)
    groups = [items[at : at + share] for at in range(0, len(items), share)]
    bars = [(_name(group), sum(value for _, value in group) / len(group)) for group in groups]
    largest = max(largest, *(abs(value) for _, value in bars)) or 1.0
    left, top = 44, 8
    middle = top + BARS_HEIGHT / 2
    width = (WIDTH - left) / len(bars)
    parts = []
    for sign, label in ((1, f"+{largest:.2f}"), (0, "0"), (-1, f"−{largest:.2f}")):
        y = middle - sign * BARS_HEIGHT / 2
        parts.append(f'<line class="{"rule" if sign else "zero"}" x1="{left}" x2="{WIDTH}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text class="axis" x="{left - 8}" y="{y + 4}" text-anchor="end">{label}</text>')
    for place, (name, value) in enumerate(bars):
        size = abs(value) / largest * BARS_HEIGHT / 2
        y = middle - size if value > 0 else middle
        kind = "upper" if value > 0 else "lower"
        gap = 1 if width > 3 else 0
        parts.append(
            f'<rect class="{kind}" x="{left + place * width:.2f}" y="{y:.2f}" width="{width - gap:.2f}" '
            f'height="{max(size, 0.5):.2f}"><title>{escape(name)}: {value:+.4f}</title></rect>'
        )
    return _svg(title, top + BARS_HEIGHT + 8, parts)


def nice_step(span: float) -> float:
    """A step of 1, 2 or 5 times a power of ten that divides a span into three to six parts or so."""
    power = 10.0 ** math.floor(math.log10(span / 4))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= span / 4)


def _name(group: Sequence[tuple[str, float]]) -> str:
    return group[0][0] if len(group) == 1 else f"{group[0][0]} and {len(group) - 1} more"


def _svg(title: str, height: float, parts: Sequence[str]) -> str:
    inside = "".join(parts)
    return f'<svg viewBox="0 0 {WIDTH} {height:g}" role="img" aria-label="{escape(title)}">{inside}</svg>'

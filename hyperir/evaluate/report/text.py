"""A comparison as text for a terminal: aligned columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hyperir.evaluate.report.marks import letters, marks, method
from hyperir.evaluate.systems import Comparisons

__all__ = ["columns", "comparison_text", "p_text"]

WIDEST = 32  # characters of a name or query in a column; the rest is cut


def comparison_text(
    found: Comparisons, *, hardest: int = 0, texts: Mapping[str, str] | None = None, notes: Sequence[str] = ()
) -> str:
    """Means, comparisons, and where asked for the hardest queries by the first measure.

    Args:
        found: what `compare_systems` gave.
        hardest: how many of the hardest queries.
        texts: queries' texts by id.
        notes: sentences after the tables.
    """
    parts = [_means(found), _pairs(found)]
    if hardest:
        rows = found.hardest(found.measures[0], hardest)
        names = [system.name for system in found.systems]
        body = [
            [row.query, *(f"{row.values[name]:.3f}" for name in names), (texts or {}).get(row.query, "")]
            for row in rows
        ]
        parts.append(columns([f"hardest by {found.measures[0]}", *names, ""], body))
    return "\n\n".join([*parts, "\n".join([method(found), *notes])])


def columns(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """Rows under a head; the first column to the left, numbers to the right."""
    rows = [[_cut(cell) for cell in row] for row in [head, *body]]
    widths = [max(len(row[at]) for row in rows) for at in range(len(head))]
    lines = [
        "  ".join(
            cell.ljust(width) if at == 0 or at == len(row) - 1 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return "\n".join(lines)


def p_text(p: float) -> str:
    """Three decimals; "<.001" below."""
    return f"{p:.3f}" if p >= 0.001 else "<.001"


def _means(found: Comparisons) -> str:
    named = letters(found)
    head = ["", *found.measures, "unjudged@10", ""]
    body = []
    for system in found.systems:
        cells = [
            f"{system.means[m]:.4f}{marks(found, m, system.name):2} [{system.intervals[m][0]:.3f}, "
            f"{system.intervals[m][1]:.3f}]"
            for m in found.measures
        ]
        name = system.name if found.baseline is not None else f"{named[system.name]} {system.name}"
        missing = f"{system.missing:,} queries unanswered" if system.missing else ""
        body.append([name, *cells, f"{system.unjudged:.0%}", missing])
    return columns(head, body)


def _pairs(found: Comparisons) -> str:
    level = f"{found.level:.0%}"
    head = ["compared", "by", "difference", level, "wins", "ties", "losses", "t-test", "permutation", ""]
    body = [
        [
            f"{pair.a} - {pair.b}",
            pair.measure,
            f"{pair.difference:+.4f}",
            f"[{pair.interval[0]:+.3f}, {pair.interval[1]:+.3f}]",
            f"{pair.wins:,}",
            f"{pair.ties:,}",
            f"{pair.losses:,}",
            p_text(pair.t_holm),
            p_text(pair.permutation_holm),
            "significant" if found.significant(pair) else "",
        ]
        for pair in found.pairs
    ]
    return columns(head, body) + "\np-values are corrected"


def _cut(text: str) -> str:
    text = " ".join(text.split()) if text != text.strip() or "\n" in text else text
    return text if len(text) <= 2 * WIDEST else text[: 2 * WIDEST - 1] + "…"

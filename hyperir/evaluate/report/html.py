"""A comparison as one HTML file: means with intervals, comparisons, each query's difference, the hardest queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from hyperir.evaluate.report.marks import letters, marks, method
from hyperir.evaluate.report.page import html_page, html_table
from hyperir.evaluate.report.plots import difference_bars, interval_plot
from hyperir.evaluate.report.text import p_text
from hyperir.evaluate.systems import Comparisons

__all__ = ["comparison_page", "comparison_sections"]

MOST_PICTURES = 12  # pairs whose differences are drawn; the first ones
EXTREMES = 3  # queries named under a picture, at both ends


def comparison_page(
    found: Comparisons,
    *,
    title: str = "Systems compared",
    hardest: int = 10,
    texts: Mapping[str, str] | None = None,
    notes: Sequence[str] = (),
) -> str:
    """The page.

    Args:
        found: what `compare_systems` gave.
        title: plain text.
        hardest: how many of the hardest queries are listed.
        texts: queries' texts by id.
        notes: sentences, such as what counts as relevant.
    """
    lead = f"{len(found.systems)} systems on {found.queries:,} queries"
    return html_page(title, comparison_sections(found, hardest=hardest, texts=texts, notes=notes), lead=lead)


def comparison_sections(
    found: Comparisons,
    *,
    hardest: int = 10,
    texts: Mapping[str, str] | None = None,
    notes: Sequence[str] = (),
    heading: str = "h2",
) -> str:
    """The same without the shell, so that a page can hold several under headings of their own.

    Args:
        found: and the others, as of `comparison_page`.
        heading: the element of the sections' headings.
    """

    def head(text: str) -> str:
        return f'<{heading} class="part">{escape(text)}</{heading}>'

    first = found.measures[0]
    told = "".join(f"<p>{escape(note)}</p>" for note in notes if note)
    parts = [head("Means"), told, _means(found), f'<p class="quiet">{escape(method(found))}</p>']
    parts.append('<div class="grid">' + "".join(_intervals(found, measure) for measure in found.measures) + "</div>")
    parts += [head("Comparisons"), _pairs(found)]
    drawn = [pair for pair in found.pairs if pair.measure == first]
    more = f"; the first {MOST_PICTURES} of {len(drawn)} comparisons" if len(drawn) > MOST_PICTURES else ""
    parts.append(head(f"Each query's difference in {first}") + f'<p class="quiet">Sorted{more}.</p>')
    largest = max(
        (abs(value) for pair in drawn[:MOST_PICTURES] for value in found.differences(pair).values()), default=0
    )
    pictures = []
    for pair in drawn[:MOST_PICTURES]:
        name = f"{pair.a} − {pair.b}"
        differences = found.differences(pair)
        pictures.append(
            f"<figure><h3>{escape(name)}</h3>{difference_bars(f'{name}, {first}', differences, largest=largest)}"
            f"<figcaption>{_extremes(differences, texts or {})}</figcaption></figure>"
        )
    parts.append('<div class="grid">' + "".join(pictures) + "</div>")
    if hardest:
        parts += [head(f"The hardest queries by {first}"), _hardest(found, hardest, texts or {})]
    return "\n".join(parts)


def _means(found: Comparisons) -> str:
    named = letters(found)
    body = []
    for system in found.systems:
        cells = []
        for measure in found.measures:
            value, (low, high) = f"{system.means[measure]:.4f}", system.intervals[measure]
            value = f"<b>{value}</b>" if system.name in found.best(measure) else value
            mark = escape(marks(found, measure, system.name))
            cells.append(f"{value}{f'<sup>{mark}</sup>' if mark else ''}<small>{low:.3f} to {high:.3f}</small>")
        name = escape(system.name) if found.baseline is not None else f"{named[system.name]}. {escape(system.name)}"
        missing = f"<small>{system.missing:,} queries unanswered</small>" if system.missing else ""
        body.append([name + missing, *cells, f"{system.unjudged:.1%}"])
    return html_table(["System", *found.measures, "unjudged in top 10"], body)


def _intervals(found: Comparisons, measure: str) -> str:
    rows = [(system.name, system.means[measure], *system.intervals[measure]) for system in found.systems]
    return f"<figure><h3>{escape(measure)}</h3>{interval_plot(measure, rows)}</figure>"


def _pairs(found: Comparisons) -> str:
    head = ["Compared", "measure", "difference", "wins", "ties", "losses", "effect", "t-test", "permutation", ""]
    body = []
    for pair in found.pairs:
        side = "up" if pair.difference > 0 else "down" if pair.difference < 0 else "quiet"
        body.append(
            [
                f"{escape(pair.a)} − {escape(pair.b)}",
                escape(pair.measure),
                f'<span class="{side}">{pair.difference:+.4f}</span>'
                f"<small>{pair.interval[0]:+.3f} to {pair.interval[1]:+.3f}</small>",
                f"{pair.wins:,}",
                f"{pair.ties:,}",
                f"{pair.losses:,}",
                "" if pair.effect is None else f"{pair.effect:+.2f}",
                f"{escape(p_text(pair.t_holm))}<small>{escape(p_text(pair.t_p))} alone</small>",
                f"{escape(p_text(pair.permutation_holm))}<small>{escape(p_text(pair.permutation_p))} alone</small>",
                "<b>significant</b>" if found.significant(pair) else "",
            ]
        )
    told = (
        "p-values after Holm's correction, and below each alone; the effect is in standard deviations of differences."
    )
    return html_table(head, body) + f'<p class="quiet">{told}</p>'


def _extremes(differences: Mapping[str, float], texts: Mapping[str, str]) -> str:
    items = list(differences.items())
    ends = {"Most gained": items[:EXTREMES], "most lost": items[::-1][:EXTREMES]}
    signs = {"Most gained": 1, "most lost": -1}
    parts = [
        f"{end}: " + ", ".join(f"{escape(texts.get(query, query))} ({value:+.2f})" for query, value in some)
        for end, all_ in ends.items()
        if (some := [(query, value) for query, value in all_ if value * signs[end] > 0])
    ]
    return "; ".join(parts) or "No query differs."


def _hardest(found: Comparisons, n: int, texts: Mapping[str, str]) -> str:
    names = [system.name for system in found.systems]
    body = []
    for row in found.hardest(found.measures[0], n):
        top = max(row.values.values())
        cells = [f"<b>{row.values[n]:.3f}</b>" if row.values[n] == top > 0 else f"{row.values[n]:.3f}" for n in names]
        # The text stands under the id, so that many systems leave room for it.
        text = texts.get(row.query, "")
        body.append([escape(row.query) + (f"<small>{escape(text)}</small>" if text else ""), *cells])
    return html_table(["Query", *names], body, words=0)

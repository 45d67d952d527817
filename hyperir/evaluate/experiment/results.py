"""The table of an experiment, as text, LaTeX, HTML and plain values."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from html import escape
from typing import Any

from hyperir.core.amounts import bytes_text
from hyperir.evaluate.experiment.plan import Plan
from hyperir.evaluate.measures import Scores
from hyperir.evaluate.report.html import comparison_sections
from hyperir.evaluate.report.latex import best_cells, escaped, table
from hyperir.evaluate.report.marks import marks, method
from hyperir.evaluate.report.page import html_page, html_table
from hyperir.evaluate.report.text import columns
from hyperir.evaluate.systems import Comparisons
from hyperir.search.bare import Cost

__all__ = ["Measured", "Results"]

COSTS = ("index", "ms/query", "scored", "build s")


@dataclass(frozen=True)
class Measured:
    """A finished cell: its measures, its cost, and the fingerprint under which its run is kept."""

    scores: Scores
    cost: Cost
    kept: str


@dataclass(frozen=True)
class Results:
    """What an experiment gave.

    Args:
        plan: what was run.
        cells: (system, collection) -> what came of it.
        failures: (system, collection) -> why nothing came of it.
        texts: collection -> query id -> text.
        compared: collection -> the finished systems against the baseline, where it and another one finished.
    """

    plan: Plan
    cells: dict[tuple[str, str], Measured]
    failures: dict[tuple[str, str], str]
    texts: dict[str, dict[str, str]]
    compared: dict[str, Comparisons]

    def __str__(self) -> str:
        """One table a collection: measures, with marks of significance, and cost."""
        parts = []
        for collection in self.plan.collections:
            found = self.compared.get(collection)
            measures = self.plan.measures_for(collection)
            body = []
            for system in self.plan.systems:
                cell = self.cells.get((system, collection))
                if cell is None:
                    body.append([system, *("-" for _ in measures), "-", *("-" for _ in COSTS)])
                    continue
                noted = [f"{cell.scores.mean(m):.4f}{marks(found, m, system) if found else ''}" for m in measures]
                body.append([system, *noted, f"{cell.scores.unjudged:.0%}", *_cost(cell.cost)])
            parts.append(columns([collection, *measures, "unjudged@10", *COSTS], body))
            if found is not None:
                parts.append(method(found, intervals=False))
        return "\n\n".join(parts)

    def latex(self) -> str:
        """One table a measure: systems by collections, the best of each collection in bold."""
        tables = []
        for measure in self.plan.measures:
            body: dict[str, list[str]] = {system: [escaped(system)] for system in self.plan.systems}
            for collection in self.plan.collections:
                at = self.plan.measures_for(collection)[self.plan.measures.index(measure)]
                found = self.compared.get(collection)
                values = {
                    system: cell.scores.mean(at) if (cell := self.cells.get((system, collection))) else None
                    for system in self.plan.systems
                }
                for system, text in best_cells(values).items():
                    mark = escaped(marks(found, at, system)) if found and values[system] is not None else ""
                    body[system].append(text + (rf"\textsuperscript{{{mark}}}" if mark else ""))
            thresholds = ", ".join(
                f"{name} from grade {one.threshold}" for name, one in self.plan.collections.items() if one.threshold > 1
            )
            caption = f"{self.plan.title}: {measure}." + (f" Relevant: {thresholds}." if thresholds else "")
            first = next((found for name in self.plan.collections if (found := self.compared.get(name))), None)
            tested = f" On each collection: {method(first, intervals=False)}" if first is not None else ""
            head = ["System", *map(escaped, self.plan.collections)]
            text = escaped(caption + tested) + " Best in bold."
            tables.append(table(head, list(body.values()), caption=text, label=f"tab:{measure}"))
        return "\n\n".join(tables)

    def html(self) -> str:
        """One page: measures and cost of every collection, and its comparison where two systems finished."""
        parts = []
        for collection in self.plan.collections:
            parts.append(f"<h2>{escape(collection)}</h2>")
            body = []
            measures = self.plan.measures_for(collection)
            for system in self.plan.systems:
                cell = self.cells.get((system, collection))
                if cell is None:
                    failed = self.failures.get((system, collection), "")
                    told = f"<small>{escape(failed.splitlines()[0])}</small>" if failed else ""
                    body.append([escape(system) + told, *["–"] * (len(measures) + 1 + len(COSTS))])
                    continue
                values = [f"{cell.scores.mean(m):.4f}" for m in measures]
                body.append([escape(system), *values, f"{cell.scores.unjudged:.0%}", *map(escape, _cost(cell.cost))])
            parts.append(html_table(["System", *measures, "unjudged@10", *COSTS], body))
            found = self.compared.get(collection)
            if found is not None:
                parts.append(comparison_sections(found, texts=self.texts.get(collection), heading="h3"))
        lead = f"{len(self.plan.systems)} systems on {len(self.plan.collections)} collections; {self.plan.k:,} answers"
        return html_page(self.plan.title, "\n".join(parts), lead=lead)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        cells = [
            {
                "system": system,
                "collection": collection,
                "queries": len(next(iter(cell.scores.by_query.values()))),
                "measures": cell.scores.means(),
                "unjudged@10": cell.scores.unjudged,
                "missing": cell.scores.missing,
                "cost": asdict(cell.cost),
                "kept": cell.kept,
            }
            for (system, collection), cell in self.cells.items()
        ]
        failures = [{"system": s, "collection": c, "error": why} for (s, c), why in self.failures.items()]
        return {"plan": self.plan.model_dump(), "cells": cells, "failures": failures}


def _cost(cost: Cost) -> list[str]:
    """Cells of COSTS."""
    size = bytes_text(cost.index_bytes)
    return [size, f"{cost.query_ms:.2f}", f"{cost.scored:,.0f}", f"{cost.build_seconds:.1f}"]

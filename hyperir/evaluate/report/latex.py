"""Tables for papers: booktabs, the best in bold, marks of significance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hyperir.evaluate.report.marks import BETTER, WORSE, letters, marks, method
from hyperir.evaluate.systems import Comparisons

__all__ = ["best_cells", "comparison_latex", "escaped", "table"]

SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    BETTER: r"$\dagger$",
    WORSE: r"$\ddagger$",
} | {sign: "\\" + sign for sign in "&%$#_{}"}


def comparison_latex(found: Comparisons, *, caption: str = "", label: str = "tab:systems") -> str:
    """Systems by measures, with a caption that says how it was tested.

    Args:
        found: what `compare_systems` gave.
        caption: plain text before that.
        label: for references; letters, digits and ":-." only stay.
    """
    named = letters(found)
    body = []
    for system in found.systems:
        name = escaped(system.name) if found.baseline is not None else f"({named[system.name]}) {escaped(system.name)}"
        cells = []
        for measure in found.measures:
            value = _short(system.means[measure])
            cells.append(_bold(value, system.name in found.best(measure)) + _raised(marks(found, measure, system.name)))
        body.append([name, *cells])
    head = ["System", *map(escaped, found.measures)]
    told = f"{caption} {method(found, intervals=False)}".strip()
    return table(head, body, caption=f"{escaped(told)} {found.queries:,} queries. Best in bold.", label=label)


def table(head: Sequence[str], body: Sequence[Sequence[str]], *, caption: str, label: str) -> str:
    """A floating table of cells that are LaTeX already; needs \\usepackage{booktabs}."""
    label = "".join(sign for sign in label if sign.isalnum() or sign in ":-.")
    rows = [" & ".join(row) + r" \\" for row in body]
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{caption}}}",
            rf"\label{{{label}}}",
            rf"\begin{{tabular}}{{l{'r' * (len(head) - 1)}}}",
            r"\toprule",
            " & ".join(head) + r" \\",
            r"\midrule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
    )


def escaped(text: str) -> str:
    """Plain text as LaTeX shows it."""
    return "".join(SPECIAL.get(sign, sign) for sign in text)


def best_cells(values: Mapping[str, float | None]) -> dict[str, str]:
    """Cells of one column, the best in bold; a dash where there is no value."""
    known = [round(value, 4) for value in values.values() if value is not None]
    return {
        name: "--" if value is None else _bold(_short(value), round(value, 4) == max(known))
        for name, value in values.items()
    }


def _short(value: float) -> str:
    """Three decimals without the leading zero, as papers print measures; counts as they are."""
    return f"{value:.3f}".removeprefix("0") if -1 < value <= 1 else f"{value:,.3f}".rstrip("0").rstrip(".")


def _bold(text: str, best: bool) -> str:
    return rf"\textbf{{{text}}}" if best else text


def _raised(text: str) -> str:
    """Marks as a superscript that takes no width away from the alignment."""
    inner = "".join({BETTER: r"\dagger", WORSE: r"\ddagger"}.get(sign, sign) for sign in text)
    return f"$^{{{inner}}}$" if inner else ""

"""Comparisons for people: text for a terminal, LaTeX for a paper, one HTML file with plots."""

from hyperir.evaluate.report.html import comparison_page
from hyperir.evaluate.report.latex import comparison_latex
from hyperir.evaluate.report.text import comparison_text

__all__ = ["comparison_latex", "comparison_page", "comparison_text"]

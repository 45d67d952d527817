"""Draw docs/road.svg: how a document and a query travel. Needs matplotlib (in requirements/dev.txt)."""

import sys
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.patches import FancyBboxPatch

plt.switch_backend("Agg")
mpl.rcParams["svg.hashsalt"] = "hyperir"

DOCUMENT, QUERY, BOTH = "#d9e8f6", "#fde3cf", "#dff0dc"


def box(axes, x, y, title, text, colour, width=1.75):
    shape = FancyBboxPatch((x, y), width, 0.9, boxstyle="round,pad=0.04,rounding_size=0.12", fc=colour, ec="#444", lw=1)
    axes.add_patch(shape)
    axes.text(x + width / 2, y + 0.62, title, ha="center", va="center", fontsize=11, weight="bold")
    axes.text(x + width / 2, y + 0.26, text, ha="center", va="center", fontsize=8.5)


def arrow(axes, start, stop, label=""):
    axes.annotate("", stop, start, arrowprops={"arrowstyle": "-|>", "lw": 1.3, "color": "#444"})
    if label:
        axes.text(
            (start[0] + stop[0]) / 2, max(start[1], stop[1]) + 0.09, label, ha="center", fontsize=8, style="italic"
        )


def main(target):
    figure, axes = plt.subplots(figsize=(9.6, 3.1))
    axes.set_xlim(-0.1, 10.2)
    axes.set_ylim(-0.05, 3.0)
    axes.axis("off")
    box(axes, 0, 1.9, "documents", "BEIR, jsonl, csv, …", DOCUMENT)
    box(axes, 2.75, 1.9, "encode", "one vector each", DOCUMENT)
    box(axes, 5.5, 1.9, "index", "on disk, mapped", DOCUMENT)
    box(axes, 0, 0.2, "a query", "text", QUERY)
    box(axes, 2.75, 0.2, "hypernetwork", "reads its tokens", QUERY)
    box(axes, 5.5, 0.2, "q-net  f", "weights just written", QUERY)
    box(axes, 8.25, 1.05, "answers", "the best of f(d)", BOTH)
    for y in (2.35, 0.65):
        arrow(axes, (1.8, y), (2.7, y))
    arrow(axes, (4.55, 2.35), (5.45, 2.35), "vectors")
    arrow(axes, (4.55, 0.65), (5.45, 0.65), "writes")
    arrow(axes, (7.3, 2.3), (8.2, 1.65))
    arrow(axes, (7.3, 0.7), (8.2, 1.35))
    axes.text(7.35, 1.48, "scores", fontsize=8, style="italic")
    figure.savefig(target, bbox_inches="tight", metadata={"Date": None} if str(target).endswith("svg") else None)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent.parent / "docs" / "road.svg")

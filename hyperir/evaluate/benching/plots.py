"""Pictures of a bench as PNG, by matplotlib: recall against documents scored, and against time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hyperir.core.errors import MissingExtraError
from hyperir.evaluate.benching.axes import (
    PICTURES,
    Picture,
    colour_of,
    frontier,
    log_ticks,
    points_of,
    recall_ticks,
    stretched,
)
from hyperir.evaluate.benching.result import Bench

__all__ = ["draw"]

MARKS = ("o", "s", "^", "D", "v", "P", "X")


def draw(bench: Bench, folder: Path) -> list[Path]:
    """Write the pictures and say where they are.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        if error.name != "matplotlib":
            raise
        raise MissingExtraError("matplotlib", "plot", "a picture as PNG") from None
    paths = []
    for picture in PICTURES:
        figure = Figure(figsize=(8.0, 4.8), layout="constrained")
        _fill(figure.add_subplot(), bench, picture)
        paths.append(folder / f"{picture.name}.png")
        figure.savefig(paths[-1], dpi=150)
    return paths


def _fill(axes: Any, bench: Bench, picture: Picture) -> None:
    families = points_of(bench, picture)
    colours = colour_of(families)
    for mark, (family, points) in zip(MARKS * 9, families.items(), strict=False):
        best = frontier(points)
        at = [stretched(point.recall) for point in best]
        axes.plot([point.work for point in best], at, color=colours[family], linewidth=1.6, alpha=0.8)
        every = [stretched(point.recall) for point in points]
        works = [point.work for point in points]
        # A ring, for whatever finds all by scoring all lies on the same spot.
        look = (
            {"markersize": 12, "markerfacecolor": "none", "markeredgewidth": 1.8, "markeredgecolor": colours[family]}
            if family == "exact"
            else {"markersize": 6.5, "color": colours[family], "markeredgecolor": "white"}
        )
        axes.plot(works, every, mark, linestyle="", label=family, clip_on=False, **look)
    everything = [point for points in families.values() for point in points]
    low, high = min(p.work for p in everything), max(p.work for p in everything)
    axes.set_xscale("log")
    axes.set_xlim(low / 1.4, high * 1.4)
    ticks = log_ticks(low / 1.4, high * 1.4)
    axes.set_xticks(ticks, [f"{tick:,.10g}" for tick in ticks])
    axes.minorticks_off()
    lines = recall_ticks(min(p.recall for p in everything))
    axes.set_yticks([stretched(tick) for tick in lines], [f"{tick:g}" for tick in lines])
    axes.set_ylim(stretched(lines[0]) - 0.3, stretched(1.0) + 0.6)
    axes.set_xlabel(picture.work)
    axes.set_ylabel(f"recall@{bench.ks[0]} against exhaustive search")
    axes.set_title(f"{picture.title}\n", loc="left", fontweight="bold", fontsize=12)
    below = f"{bench.queries:,} queries over {bench.documents:,} documents, {bench.depth:,} answers each"
    axes.text(0, 1.025, below, transform=axes.transAxes, fontsize=9, color="#555555")
    axes.grid(visible=True, color="#e4e4e4", linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=9)

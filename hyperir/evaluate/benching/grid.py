"""The settings that are tried where none are said: a few of every strategy, from quick to thorough."""

from __future__ import annotations

from typing import Any

__all__ = ["default_grid"]


def default_grid(documents: int, depth: int, *, training: bool = False, kind: str = "dense") -> list[dict[str, Any]]:
    """Configurations of strategies.

    Args:
        documents: N.
        depth: answers asked for; widths and breadths below it would change nothing.
        training: whether there are training queries, without which nothing of "bipartite" is tried.
        kind: of the documents, "dense", "multi" or "sparse".
    """
    grid: list[dict[str, Any]] = [{"type": "exact"}]
    if kind == "multi":
        kept = [max(256, 4 * depth) * times for times in (1, 4)]
        return grid + [{"type": "plaid", "cells": n, "candidates": count} for n in (1, 2, 4) for count in kept]
    if kind == "sparse":
        return [*grid, *({"type": "inverted", "bits": bits} for bits in (32, 8))]
    cells = max(round(documents**0.5), 1)
    probes = sorted({max(round(cells * share), 1) for share in (0.01, 0.03, 0.1, 0.3)})
    grid += [{"type": "ivf", "probes": count} for count in probes]
    breadths = [max(depth * times, 32 * times) for times in (1, 2, 4)]
    grid += [{"type": "graph", "ef": ef} for ef in breadths]
    grid.append({"type": "graph", "preset": "hypencoder"})
    for rounds, anchors, times in ((1, 1, 1), (2, 4, 1), (3, 4, 1), (3, 8, 2)):
        width = max(depth, 50) * times
        grid.append({"type": "firstorder", "rounds": rounds, "anchors": anchors, "width": width})
    if training:
        grid += [{"type": "bipartite", "ef": ef} for ef in breadths]
    return grid

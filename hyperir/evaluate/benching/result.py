"""What a bench found, as values, as a table, and as JSON."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from hyperir.core.amounts import bytes_text

__all__ = ["Bench", "Choice", "Setting"]


@dataclass(frozen=True)
class Setting:
    """One strategy with one set of settings, measured.

    Args:
        strategy: its type.
        settings: what was set, beside the defaults.
        config: all of its configuration.
        build_seconds: to build what it searches; of settings that share it, all name it.
        bytes: of the tensors that it built.
        per_second: queries a second, searched in batches.
        values: by measure, one number a query: "recall@K", "scored", "milliseconds", and measures of quality.
    """

    strategy: str
    settings: dict[str, Any]
    config: dict[str, Any]
    build_seconds: float
    bytes: int
    per_second: float
    values: dict[str, list[float]]

    @property
    def name(self) -> str:
        """For example "ivf probes=4"."""
        return " ".join([self.strategy, *(f"{key}={_short(value)}" for key, value in self.settings.items())])

    @property
    def family(self) -> str:
        """What belongs together in a picture: the strategy; the paper's search apart from other graphs."""
        preset = self.settings.get("preset")
        return f"{self.strategy} ({preset if isinstance(preset, str) else 'preset'})" if preset else self.strategy

    def mean(self, measure: str, among: slice = slice(None)) -> float:
        """Over all queries, or over those among them; NaN where there are none."""
        values = self.values[measure][among]
        return statistics.fmean(values) if values else float("nan")

    def milliseconds(self, share: float = 0.5, among: slice = slice(None)) -> float:
        """The time that this share of the queries took at most: the median, or with .95 the 95th percentile."""
        times = sorted(self.values["milliseconds"][among])
        if share == 0.5:
            return statistics.median(times)
        return times[min(int(share * len(times)), len(times) - 1)]


@dataclass(frozen=True)
class Choice:
    """The setting of a family that reached a recall in the least time on one half of the queries, on the other half.

    Args:
        family: see `Setting.family`.
        name: of the setting.
        reached: whether it, or any of the family, reached the goal on the half where it was chosen; else it is the one
            with the largest recall.
        chosen_recall, chosen_milliseconds: there.
        recall, milliseconds: on the other half, the mean and the median.
    """

    family: str
    name: str
    reached: bool
    chosen_recall: float
    chosen_milliseconds: float
    recall: float
    milliseconds: float


@dataclass(frozen=True)
class Bench:
    """The result of a bench.

    Args:
        index: where it lies.
        documents, width, queries: N, D, Q.
        ks: of the recalls.
        depth: answers asked for in every search: the largest of `ks`.
        measures: of quality, where there were judgements.
        encode_milliseconds: a query, to make its function; it is in no other time. None where functions were given.
        machine: processor, threads, versions.
        settings: exhaustive search first.
        refused: strategies that cannot serve these functions, and why.
        goal: the recall that `choices` were to reach, at the first of `ks`; None where the queries were not split.
        choices: see :class:`Choice`.
    """

    index: str
    documents: int
    width: int
    queries: int
    ks: tuple[int, ...]
    depth: int
    measures: tuple[str, ...]
    encode_milliseconds: float | None
    machine: dict[str, Any]
    settings: tuple[Setting, ...]
    refused: dict[str, str]
    goal: float | None = None
    choices: tuple[Choice, ...] = ()

    @property
    def families(self) -> dict[str, list[Setting]]:
        """Settings by family, in the order in which they came."""
        found: dict[str, list[Setting]] = {}
        for setting in self.settings:
            found.setdefault(setting.family, []).append(setting)
        return found

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON: the summary of every setting, and its values query by query."""
        exact = self.settings[0]
        settings = []
        for setting in self.settings:
            means = {measure: setting.mean(measure) for measure in setting.values if measure != "milliseconds"}
            lost = {measure: setting.mean(measure) - exact.mean(measure) for measure in self.measures}
            times = {"milliseconds": setting.milliseconds(), "milliseconds_p95": setting.milliseconds(0.95)}
            settings.append(
                {"name": setting.name, "family": setting.family, **means, **times, "difference": lost} | asdict(setting)
            )
        return asdict(self) | {"settings": settings}

    def __str__(self) -> str:
        """A table, and the choices below it."""
        recalls = [f"recall@{k}" for k in self.ks]
        head = ["", *recalls, "scored", "ms", "p95", "q/s", "build s", "size"]
        for measure in self.measures:
            head += [measure, "differs"]
        rows = [head]
        for setting in self.settings:
            row = [setting.name, *(f"{setting.mean(name):.3f}" for name in recalls)]
            row += [f"{setting.mean('scored'):,.0f}", _time(setting.milliseconds()), _time(setting.milliseconds(0.95))]
            row += [f"{setting.per_second:,.0f}", f"{setting.build_seconds:.1f}", bytes_text(setting.bytes)]
            for measure in self.measures:
                row += [
                    f"{setting.mean(measure):.3f}",
                    f"{setting.mean(measure) - self.settings[0].mean(measure):+.3f}",
                ]
            rows.append(row)
        lines = [f"{self.queries:,} queries over {self.documents:,} documents, {self.depth} answers each"]
        lines += _aligned(rows)
        lines += [f"{name} is left out: {why}" for name, why in self.refused.items()]
        if self.goal is not None:
            lines.append(
                f"recall@{self.ks[0]} >= {self.goal:g}: the quickest on half of the queries, on the other half"
            )
            lines += _aligned([["", "recall", "ms", ""], *(_chosen(choice) for choice in self.choices)])
        return "\n".join(lines)


def _chosen(choice: Choice) -> list[str]:
    note = "" if choice.reached else "the goal was not reached"
    return [choice.name, f"{choice.recall:.3f}", _time(choice.milliseconds), note]


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of equal columns: the first to the left, the others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for first, *others in rows:
        cells = [f"{cell:>{width}}" for cell, width in zip(others, widths[1:], strict=True)]
        lines.append("  ".join([f"{first:{widths[0]}}", *cells]).rstrip())
    return lines


def _time(milliseconds: float) -> str:
    return f"{milliseconds:.2f}" if milliseconds < 10 else f"{milliseconds:,.0f}"


def _short(value: Any) -> str:
    if isinstance(value, Mapping):
        return ",".join(f"{key}:{_short(part)}" for key, part in value.items())
    return f"{value:g}" if isinstance(value, float) else str(value)

"""Settings chosen on one half of the queries and reported on the other, so that no choice flatters itself."""

from __future__ import annotations

from hyperir.evaluate.benching.result import Bench, Choice, Setting

__all__ = ["choices_of"]

CHOOSING, REPORTED = slice(0, None, 2), slice(1, None, 2)  # every second query


def choices_of(bench: Bench, goal: float) -> tuple[Choice, ...]:
    """For every family, the setting that reaches the goal at least time on one half, on the other half.

    Args:
        bench: what was measured, of two queries or more.
        goal: recall at the first of `bench.ks`.
    """
    measure = f"recall@{bench.ks[0]}"
    return tuple(_choice(family, settings, measure, goal) for family, settings in bench.families.items())


def _choice(family: str, settings: list[Setting], measure: str, goal: float) -> Choice:
    able = [setting for setting in settings if setting.mean(measure, CHOOSING) >= goal]
    if able:
        best = min(able, key=lambda setting: setting.milliseconds(among=CHOOSING))
    else:
        best = max(settings, key=lambda setting: setting.mean(measure, CHOOSING))
    return Choice(
        family,
        best.name,
        bool(able),
        best.mean(measure, CHOOSING),
        best.milliseconds(among=CHOOSING),
        best.mean(measure, REPORTED),
        best.milliseconds(among=REPORTED),
    )

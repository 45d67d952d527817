"""Names of measures: read, checked for what computes them, and told from which grade a document counts as relevant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hyperir.core.errors import InputError, nearest

__all__ = ["at_threshold", "check_measures", "parse_measure", "relevant_from", "threshold_note"]


def parse_measure(name: str) -> Any:
    """The measure of ir_measures that has a name such as "nDCG@10", "RR(rel=2)@10" or "ERR@20".

    Raises:
        InputError: there is no such measure, a parameter is missing or wrong, or nothing installed computes it.
    """
    import ir_measures

    try:
        measure: Any = ir_measures.parse_measure(name)
        measure.validate_params()
    except (ValueError, NameError, SyntaxError, KeyError, TypeError, AttributeError, AssertionError) as error:
        known = sorted(ir_measures.measures.registry)
        stem = name.split("@")[0].split("(")[0]
        got = str(error)
        if stem in known:
            needed = [
                key for key, info in ir_measures.measures.registry[stem].SUPPORTED_PARAMS.items() if info.required
            ]
            raise InputError(
                f"the measure {name!r} lacks a parameter, or has a wrong one",
                expected=f"{stem} with {' and '.join(needed)}, such as {_example(stem, needed)}" if needed else "",
                got="" if "object object" in got else got,
            ) from None
        raise InputError(
            f"there is no measure {name!r}",
            expected="a measure of ir_measures such as nDCG@10, RR@10, R@100, AP, P@10, RR(rel=2)@10",
            got=got,
            fix=nearest(stem, known),
        ) from None
    try:
        ir_measures.evaluator([measure], {"1": {"1": 1}})
    except (ValueError, RuntimeError) as error:
        helpers = [line.strip(" -") for line in str(error).splitlines()[1:]]
        raise InputError(
            f"nothing that is installed computes the measure {name!r}",
            got=str(error).splitlines()[0],
            fix="install one of " + "; ".join(helpers) if helpers else "say its parameters, such as rel=1, outright",
        ) from None
    return measure


def check_measures(measures: Sequence[str]) -> None:
    """Raise InputError unless every name is a measure: before work whose result is to be measured."""
    for name in measures:
        parse_measure(name)


def at_threshold(measures: Iterable[str], threshold: int) -> tuple[str, ...]:
    """The same measures, those that know relevant and not relevant only with this grade as the first relevant one.

    "RR@10" becomes "RR(rel=2)@10"; a measure that says its grade itself, or that uses all grades, stays as it is.
    """
    if threshold < 1:
        raise InputError("the threshold is the first relevant grade", expected="1 or more", got=str(threshold))
    return tuple(_with_threshold(name, threshold) for name in measures)


def relevant_from(name: str) -> int | None:
    """The first relevant grade of a measure; None where it uses the grades themselves, or none at all."""
    measure = parse_measure(name)
    grade = measure["rel"] if "rel" in measure.SUPPORTED_PARAMS else None
    return grade if isinstance(grade, int) else None  # NumRet has a parameter that is not set: it counts all documents


def threshold_note(measures: Sequence[str], qrels: Mapping[str, Mapping[str, int]]) -> str:
    """What counts as relevant, in one sentence; empty where grades are 0 and 1 only and no measure asks for more."""
    highest = max((grade for grades in qrels.values() for grade in grades.values()), default=0)
    groups: dict[int, list[str]] = {}
    for name in measures:
        grade = relevant_from(name)
        if grade is not None:
            groups.setdefault(grade, []).append(name)
    if not groups or (highest <= 1 and set(groups) == {1}):
        return ""
    parts = []
    for grade, names in sorted(groups.items()):
        judged = [grades for grades in qrels.values() if any(g > 0 for g in grades.values())]
        empty = sum(all(g < grade for g in grades.values()) for grades in judged)
        none = f" ({empty:,} queries have none and count as 0)" if empty else ""
        parts.append(f"{', '.join(names)}: relevant from grade {grade}{none}")
    return f"grades go up to {highest}; " + "; ".join(parts)


def _with_threshold(name: str, threshold: int) -> str:
    measure = parse_measure(name)
    if relevant_from(name) is None or "rel" in measure.params:
        return name
    changed = str(measure(rel=threshold))
    return name if changed == str(measure) else changed


def _example(stem: str, needed: Sequence[str]) -> str:
    return f"{stem}@10" if needed == ["cutoff"] else f"{stem}({', '.join(f'{key}=...' for key in needed)})"

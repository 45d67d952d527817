"""What an experiment file says, checked strictly before any work."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from hyperir.core.config import Config
from hyperir.core.errors import ConfigError, InputError, nearest
from hyperir.evaluate.measures import DEFAULT_MEASURES
from hyperir.evaluate.names import at_threshold, check_measures
from hyperir.search.bare import check_strategy

__all__ = ["CollectionPlan", "Plan", "SystemPlan", "read_plan"]


class SystemPlan(Config):
    """A system.

    Args:
        model: what `hyperir.load` takes: a bundled model, a folder, a hub id, "bm25", "tfidf:smart=ltc.ltc".
        strategy: how it searches: a name, or a configuration such as {"type": "ivf", "probes": 16}; "auto" finds the
            best for certain.
        dtype: of a model's transformer, as of `hyperir.load`; None takes it as it was saved.
    """

    model: str
    strategy: str | dict[str, Any] = "auto"
    dtype: Literal["float32", "bfloat16", "float16"] | None = None


class CollectionPlan(Config):
    """A collection.

    Args:
        source: as of `hyperir index`; a relative path is one from the experiment file's folder.
        split: whose queries are searched.
        threshold: the first relevant grade of measures that know relevant and not relevant only; 1 unless said.
    """

    source: str
    split: str = "test"
    threshold: int = Field(default=1, ge=1)


class Plan(Config):
    """An experiment.

    Args:
        title: of the report.
        systems: by the names that tables show.
        collections: likewise.
        measures: of ir_measures.
        k: answers a query.
        baseline: the system that the others are compared with; None takes the first.
        batch_size: documents encoded at once.
        seed: of the tests.
    """

    title: str = "Experiment"
    systems: dict[str, SystemPlan] = Field(min_length=1)
    collections: dict[str, CollectionPlan] = Field(min_length=1)
    measures: list[str] = Field(default=list(DEFAULT_MEASURES), min_length=1)
    k: int = Field(default=1000, ge=1)
    baseline: str | None = None
    batch_size: int = Field(default=32, ge=1)
    seed: int = 0

    @property
    def reference(self) -> str:
        """The system that the others are compared with."""
        return self.baseline if self.baseline is not None else next(iter(self.systems))

    def measures_for(self, collection: str) -> tuple[str, ...]:
        """The measures, at the threshold of a collection."""
        return at_threshold(self.measures, self.collections[collection].threshold)


def read_plan(path: str | Path) -> Plan:
    """Read an experiment file, YAML.

    Raises:
        ConfigError: no such file, no YAML, or a key or value that is not right; names it.
        InputError: an unknown measure, strategy or baseline.
    """
    import yaml

    path = Path(path)
    try:
        values = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        beside = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        got = str(error.strerror or error)
        raise ConfigError(f"{path} cannot be read", got=got, fix=nearest(path.name, beside)) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not YAML", got=" ".join(str(error).split())) from error
    if not isinstance(values, dict):
        raise ConfigError(
            f"{path} is no experiment", expected="keys systems and collections", got=type(values).__name__
        )
    plan = Plan.parse(values, where=str(path))
    check_measures(plan.measures)
    for name, system in plan.systems.items():
        check_strategy(system.model, system.strategy, where=f"system {name!r} of {path}")
    if plan.baseline is not None and plan.baseline not in plan.systems:
        raise InputError(
            f"the baseline {plan.baseline!r} of {path} is none of its systems",
            expected="one of " + ", ".join(plan.systems),
            fix=nearest(plan.baseline, plan.systems),
        )
    return plan

"""Running an experiment: every system over every collection, finished cells kept."""

from __future__ import annotations

import sys
from pathlib import Path

from hyperir.core.errors import HyperIRError
from hyperir.corpus import open_collection
from hyperir.corpus.collection import Collection
from hyperir.evaluate.experiment.cells import Cell, Cells, fingerprint
from hyperir.evaluate.experiment.plan import Plan, SystemPlan
from hyperir.evaluate.experiment.results import Measured, Results
from hyperir.evaluate.measures import evaluate
from hyperir.evaluate.systems import compare_systems
from hyperir.search.bare import Bare

__all__ = ["run_experiment"]


def run_experiment(plan: Plan, folder: str | Path, *, beside: str | Path = ".", show_progress: bool = True) -> Results:
    """Fill the table; cells that `folder` holds from an earlier run of the same configuration are not worked out again.

    A cell that fails, for example since a strategy cannot serve a relevance function, is told and left empty; the
    others go on. Systems with the same model share its vectors, of one collection at a time.

    Args:
        plan: what is run.
        folder: where cells are kept.
        beside: the folder from which relative sources and model folders count.
        show_progress: tell what goes on.

    Raises:
        CollectionError: a collection or split that is not there; nothing was run.
    """
    cells = Cells(Path(folder))
    sources = {name: _source(one.source, Path(beside)) for name, one in plan.collections.items()}
    plan = plan.model_copy(update={"systems": {n: _placed(one, Path(beside)) for n, one in plan.systems.items()}})
    collections = {name: open_collection(source) for name, source in sources.items()}
    qrels = {name: collections[name].qrels(one.split) for name, one in plan.collections.items()}
    results = Results(plan, {}, {}, {}, {})
    for name, collection in collections.items():
        queries = collection.queries(plan.collections[name].split)
        results.texts[name] = queries
        held: tuple[str, Bare] | None = None  # the last model and its documents
        order = sorted(plan.systems.items(), key=lambda item: item[1].model)  # a model's systems one after another
        for system_name, system in order:
            key = fingerprint(system, plan.collections[name], sources[name], plan.k)
            where = f"{system_name} on {name}"
            cell = cells.get(key)
            if cell is None:
                if show_progress:
                    print(f"{where}: running", file=sys.stderr)
                try:
                    if held is None or held[0] != system.model:
                        held = None  # two collections' vectors are never held at once
                        held = system.model, _bare(system, collection, plan.batch_size, show_progress)
                    cell = Cell(*held[1].run(queries, plan.k, strategy=system.strategy))
                    cells.keep(
                        key, cell, {"system": {system_name: system.model_dump()}, "collection": {name: sources[name]}}
                    )
                except HyperIRError as error:
                    results.failures[system_name, name] = str(error)
                    print(f"{where}: failed\n{error}", file=sys.stderr)
                    continue
            elif show_progress:
                print(f"{where}: kept from before", file=sys.stderr)
            scores = evaluate(qrels[name], cell.run, plan.measures_for(name))
            results.cells[system_name, name] = Measured(scores, cell.cost, kept=key)
        finished = {one: results.cells[one, name].scores for one in plan.systems if (one, name) in results.cells}
        if len(finished) > 1 and plan.reference in finished:
            results.compared[name] = compare_systems(finished, baseline=plan.reference, seed=plan.seed)
    return results


def _bare(system: SystemPlan, collection: Collection, batch_size: int, show_progress: bool) -> Bare:
    return Bare(system.model, collection, batch_size=batch_size, show_progress=show_progress)


def _placed(system: SystemPlan, beside: Path) -> SystemPlan:
    """A model folder counts from the experiment file's folder too."""
    near = beside / Path(system.model).expanduser()
    return system.model_copy(update={"model": str(near)}) if near.is_dir() else system


def _source(source: str, beside: Path) -> str:
    """A path from the experiment file's folder where there is one, else as it is: a name such as pydoc or irds:ID."""
    near = beside / Path(source).expanduser()
    return str(near) if near.exists() else source

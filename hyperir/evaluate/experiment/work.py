"""Running an experiment: every system over every collection, finished cells kept."""

from __future__ import annotations

import sys
from pathlib import Path

from hyperir.core.errors import HyperIRError
from hyperir.corpus import open_collection
from hyperir.evaluate.experiment.cells import Cell, Cells, fingerprint
from hyperir.evaluate.experiment.plan import Plan, SystemPlan
from hyperir.evaluate.experiment.results import Measured, Results
from hyperir.evaluate.measures import evaluate
from hyperir.evaluate.systems import compare_systems
from hyperir.search.shared import Shared, Shelf, counts_words

__all__ = ["run_experiment"]


def run_experiment(plan: Plan, folder: str | Path, *, beside: str | Path = ".", show_progress: bool = True) -> Results:
    """Fill the table; cells that `folder` holds from an earlier run of the same configuration are not worked out again.

    A cell that fails, for example since a strategy cannot serve a relevance function, is told and left empty; the
    others go on. Systems with the same documents' side share its vectors, of one collection at a time.

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
    models = Shelf()
    for name, collection in collections.items():
        where = plan.collections[name]
        queries = collection.queries(where.split)
        results.texts[name] = queries
        keys = {one: fingerprint(system, where, sources[name], plan.k) for one, system in plan.systems.items()}
        found = {one: cells.get(key) for one, key in keys.items()}
        missing = {one: plan.systems[one] for one, cell in found.items() if cell is None}
        held = Shared(models, collection, plan.batch_size, show_progress)
        # Systems that share their documents one after another, and of these a model's.
        for one, system in sorted(
            missing.items(), key=lambda item: (models.side(item[1].model, item[1].dtype), str(item[1].model))
        ):
            if show_progress:
                print(f"{one} on {name}: running", file=sys.stderr)
            try:
                cell = Cell(*held.bare(system.model, system.dtype).run(queries, plan.k, strategy=system.strategy))
                told = {"system": {one: system.model_dump()}, "collection": {name: sources[name]}}
                cells.keep(keys[one], cell, told)
                found[one] = cell
            except HyperIRError as error:
                results.failures[one, name] = str(error)
                print(f"{one} on {name}: failed\n{error}", file=sys.stderr)
        if show_progress and len(missing) < len(found):
            kept = ", ".join(one for one in found if one not in missing)
            print(f"{name}: kept from before: {kept}", file=sys.stderr)
        for one, done in found.items():
            if done is not None:
                scores = evaluate(qrels[name], done.run, plan.measures_for(name))
                results.cells[one, name] = Measured(scores, done.cost, kept=keys[one])
        finished = {one: results.cells[one, name].scores for one in plan.systems if (one, name) in results.cells}
        if len(finished) > 1 and plan.reference in finished:
            results.compared[name] = compare_systems(finished, baseline=plan.reference, seed=plan.seed)
    return results


def _placed(system: SystemPlan, beside: Path) -> SystemPlan:
    """A model folder counts from the experiment file's folder too."""
    if counts_words(system.model):
        return system
    near = beside / Path(system.model).expanduser()
    return system.model_copy(update={"model": str(near)}) if near.is_dir() else system


def _source(source: str, beside: Path) -> str:
    """A path from the experiment file's folder where there is one, else as it is: a name such as pydoc or irds:ID."""
    near = beside / Path(source).expanduser()
    return str(near) if near.exists() else source

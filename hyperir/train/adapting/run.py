"""The whole of an adaptation: queries, teacher, training, test, and the decision whether the new function is kept."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hyperir.core.errors import CapabilityError, InputError
from hyperir.encode import load_network
from hyperir.evaluate import check_measures
from hyperir.index.store import Store
from hyperir.search.fingerprint import check_fingerprint
from hyperir.search.fitted import keep as keep_with
from hyperir.train.adapting.asked import GENERATED, Asked, generated_queries, made_queries, read_asked
from hyperir.train.adapting.measuring import Field, Reader, measure
from hyperir.train.adapting.narrowing import checked_output, cut_alone, model_of, write_index
from hyperir.train.adapting.report import Adaptation, refusal, row_of
from hyperir.train.adapting.settings import Settings
from hyperir.train.adapting.splitting import split
from hyperir.train.adapting.teaching import TAUGHT, teach_index
from hyperir.train.adapting.training import (
    CACHE,
    Chosen,
    choose,
    recipes,
    relevance_of,
    settled,
    start_of,
    write_examples,
)
from hyperir.train.adapting.work import Work, beside, forget_others

__all__ = ["adapt"]

LEAST = 50  # documents, for less than which no function is worth fitting
MEASURES = ("nDCG@10", "RR@10", "R@100")  # told beside the one that decides
RESULT, MODEL = "result.json", "model"


def adapt(
    index: str | Path,
    settings: Settings | Mapping[str, Any] | None = None,
    *,
    keep: bool = True,
    work: str | Path | None = None,
    wait: float = 0.0,
    output: str | Path | None = None,
) -> Adaptation:
    """Fit the relevance function of an index to its collection; the documents' vectors stay as they are.

    It is tested on queries that nothing was learned from: about documents that training saw, and about some that it
    never did, as are those that are added later. It is kept where it is significantly better on the first and not
    significantly worse on the second; then whoever searches the index uses it, and
    :func:`hyperir.search.fitted.undo` gives back the one before.

    Args:
        index: the folder or address.
        settings: see :class:`hyperir.train.adapting.settings.Settings`; also as plain values.
        keep: False only tests; the model stays in the work folder.
        work: a folder to work in, which stays; None takes one beside the index and removes it in the end. With other
            settings in the same folder, what a teacher said of the same queries is used again.
        wait: seconds, where another process writes the index.
        output: with `width`, the new index of narrower documents; its model goes beside it. It is written where the
            learned function is better than the inner product over as many principal components. The index stays.

    Returns:
        what was gained, with its tests, and whether it is kept.

    Raises:
        InputError, CapabilityError: the index, the queries or the settings cannot be used; says what is missing.
        KeyboardInterrupt: Ctrl-C, after the state was saved; the same call goes on.
    """
    chosen = settings if isinstance(settings, Settings) else Settings.parse(settings or {})
    check_measures([chosen.measure])
    store = Store.open(index)
    _check(store)
    narrow = checked_output(store, chosen, output)
    asked = read_asked(store, chosen)
    asked += made_queries(store, chosen, asked)
    if not asked and chosen.generator is None:
        raise InputError(f"the texts of {store.path} are too short to make queries of", fix="give some: --queries FILE")
    place = Path(work).expanduser() if work is not None else beside(store.path)
    header = {
        "hyperir": "adapt",
        "index": str(store.path),
        "commit": store.number,
        "settings": chosen.model_dump(mode="json"),
        "queries": _hash_of(asked),
    }
    here = Work(place, header, stays=(TAUGHT, CACHE, GENERATED))
    done = here.folder / RESULT
    if not done.is_file():
        with here.counted():
            found = _fitted(store, asked, chosen, here, header)
        found = Adaptation.of(found.as_dict() | {"seconds": here.seconds})
        done.write_text(json.dumps(found.as_dict(), indent=2) + "\n", encoding="utf-8")
    found = Adaptation.of(json.loads(done.read_text(encoding="utf-8")))
    found = _decided(store, found, here.folder / MODEL, keep, wait, narrow)
    if work is None and (keep or not found.gained):
        here.remove()
        found = Adaptation.of(found.as_dict() | {"folder": None})
    return found


def _check(store: Store) -> None:
    if store.kind != "dense":
        raise CapabilityError(
            f"{store.path} holds {store.kind} documents, and functions are fitted to one vector a document",
            expected="an index of the kind dense",
            got=store.kind,
        )
    if store.encoder is None:
        raise InputError(
            f"{store.path} holds vectors of your own, and no model that reads queries",
            fix="index the texts with a model: `hyperir index CORPUS -o NEW.index -M NAME`",
        )
    if len(store) < LEAST:
        raise InputError(
            f"{store.path} has too few documents to fit a function to",
            expected=f"{LEAST} at least",
            got=f"{len(store)}",
        )


def _fitted(
    store: Store, asked: Sequence[Asked], settings: Settings, here: Work, header: Mapping[str, Any]
) -> Adaptation:
    start = _start(store, here.folder)
    before = load_network(start)
    check_fingerprint(store, before)
    settings = settled(before, settings)
    relevance_of(before, settings)  # its errors before the long work
    of = {name: header[name] for name in ("hyperir", "index", "commit")}
    asked = [*asked, *_generated(store, asked, settings, here, of)]
    of |= {"queries": _hash_of(asked), "teacher": settings.teacher, "candidates": settings.candidates}
    forget_others(here.folder / TAUGHT, of)
    taught = teach_index(store, before, asked, settings, here.folder / TAUGHT, of)
    parted = split([each.asked for each in taught], settings)
    temperature = write_examples(taught, parted, settings, here.folder)
    tried = recipes(store, start_of(before, settings, here.folder), temperature, settings, here.folder)
    needed = [id_ for held in parted.parts.values() for grades in held.qrels.values() for id_ in grades]
    field = Field.of(store, needed, settings.seed)
    reader, whole = Reader(same=settings.learn == "head"), None
    if settings.width is not None:
        parts = [parted.parts[part] for part in ("test", "test new")]
        wide = [measure(before, part, field, [settings.measure], Reader(same=False)) for part in parts]
        whole = (wide[0].mean(settings.measure), wide[1].mean(settings.measure))
        before = cut_alone(next(iter(tried.values())))
    chosen = choose(tried, before, parted, field, settings, reader)
    measures = list(dict.fromkeys([settings.measure, *MEASURES]))
    rows = [
        row_of(
            measure(before, parted.parts[part], field, measures, reader),
            measure(chosen.model, parted.parts[part], field, measures, reader),
            settings.measure,
        )
        for part in ("test", "test new")
    ]
    why = refusal(rows[0], rows[1], settings.measure, settings.level)
    found = Adaptation(
        index=str(store.path),
        documents=len(store),
        learned=dict(Counter(each.kind for each in parted.learned)),
        tested=parted.kind,
        teacher=settings.teacher,
        relevance=chosen.model.relevance_config.model_dump(mode="json"),
        learn=settings.learn or "head",
        rate=chosen.rate,
        share=chosen.share,
        validation=chosen.validation,
        measure=settings.measure,
        level=settings.level,
        held_out_queries=rows[0],
        held_out_documents=rows[1],
        kept=False,
        reason=why,
        seconds=0.0,
        folder=here.folder / MODEL,
        whole=whole,
    )
    _save(chosen, found, here.folder / MODEL)
    return found


def _generated(
    store: Store, asked: Sequence[Asked], settings: Settings, here: Work, of: Mapping[str, Any]
) -> list[Asked]:
    """Questions written for the documents, but for those that somebody asked."""
    of = {**of, "generator": settings.generator, "generated": settings.generated, "seed": settings.seed}
    forget_others(here.folder / GENERATED, of)
    known = {each.text for each in asked}
    written = generated_queries(store, settings, here.folder / GENERATED, of)
    return [each for each in written if each.text not in known]


def _hash_of(asked: Sequence[Asked]) -> str:
    return hashlib.sha256(repr([(each.id, each.text, each.grades) for each in asked]).encode()).hexdigest()


def _start(store: Store, folder: Path) -> str:
    """The name of the model whose function is in use."""
    assert store.encoder is not None, "checked before"
    if store.fitted is None:
        return store.encoder.name
    copy = folder / "start"
    if not (copy / "config.json").is_file():
        with store.fitted_folder() as fitted:
            shutil.copytree(fitted, copy, dirs_exist_ok=True)
    return str(copy)


def _save(chosen: Chosen, found: Adaptation, folder: Path) -> None:
    """Write the model, and below training/ how it came about."""
    facts = {
        "adapted to": f"{Path(found.index).name}, {found.documents:,} documents",
        "learned from": found.learned,
        "teacher": ", ".join(found.teacher),
        "rate": found.rate,
        "share of the trained weights": found.share,
    }
    chosen.model.trained = True
    chosen.model.save_pretrained(folder, with_backbone="difference", training=facts)
    record = folder / "training"
    record.mkdir(exist_ok=True)
    for name in ("recipe.yaml", "log.jsonl"):
        shutil.copyfile(chosen.folder / "training" / name, record / name)
    (record / "adapt.json").write_text(json.dumps(found.as_dict(), indent=2) + "\n", encoding="utf-8")


def _decided(store: Store, found: Adaptation, folder: Path, keep: bool, wait: float, narrow: Path | None) -> Adaptation:
    if not found.gained:
        return Adaptation.of(found.as_dict() | {"reason": f"Not kept: {found.reason}. Searches go on as before."})
    if not keep:
        return Adaptation.of(found.as_dict() | {"reason": f"It is better, and stays in {folder}: nothing was kept."})
    if narrow is not None:
        write_index(store, folder, narrow)
        reason = f"Written: {narrow}, whose model is {model_of(narrow)}. {store.path} is as it was."
        return Adaptation.of(found.as_dict() | {"kept": True, "reason": reason})
    row = found.held_out_queries
    told = f"adapted: {found.measure} {row.before[found.measure]:.3f} -> {row.after[found.measure]:.3f}"
    keep_with(store, folder, f"{told} on {row.queries:,} held-out queries", wait=wait)
    reason = f"Kept: searches use it from now on. To go back to the function before: hyperir adapt {store.path} --undo"
    return Adaptation.of(found.as_dict() | {"kept": True, "reason": reason})

"""The queries that an adaptation learns from and is tested on: what people asked, and what is made of documents.

A query knows the documents that answer it by their ids, or none of them where it comes from a log.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any, Literal

from hyperir.core.errors import CollectionError, InputError, ModelError
from hyperir.core.progress import Progress
from hyperir.core.types import Row
from hyperir.corpus import open_collection
from hyperir.corpus.trec import read_qrels, read_queries
from hyperir.index.store import Store
from hyperir.train.adapting.settings import Settings
from hyperir.train.ledger import Ledger

__all__ = ["GENERATED", "NAMES", "Asked", "generated_queries", "made_queries", "read_asked"]

Kind = Literal["judged", "log", "generated", "made"]
NAMES = {
    "judged": "judged queries",
    "log": "queries of the log",
    "generated": "questions written for the documents",
    "made": "queries made of the documents",
}
GENERATED = "generated.jsonl"

WORDS = (4, 16)  # of a span
TITLE = 2  # words of a title at least
ROUNDS = 4  # spans of one document at most
BLOCK = 2048  # documents read at once
WRITTEN = 16  # documents that questions are written for, and kept, at once


@dataclass(frozen=True)
class Asked:
    """A query.

    Args:
        id: its own.
        text: as it was asked.
        grades: of the documents of the index that answer it, above 0; none where nobody knows.
        kind: where it comes from.
    """

    id: str
    text: str
    grades: Mapping[str, int]
    kind: Kind


def read_asked(store: Store, settings: Settings) -> list[Asked]:
    """What people asked; equal texts are one query. Nothing where the settings name no queries.

    Raises:
        CollectionError: a file cannot be read, or judgements are about other queries or documents.
    """
    if settings.collection is not None:
        source = open_collection(settings.collection)
        texts, qrels = source.queries(settings.split), source.qrels(settings.split)
    elif settings.queries is not None:
        texts = read_queries(settings.queries)
        qrels = {} if settings.qrels is None else read_qrels(settings.qrels)
    else:
        return []
    positive = {query: {id_: grade for id_, grade in own.items() if grade > 0} for query, own in qrels.items()}
    judged = sorted({id_ for query in texts for id_ in positive.get(query, {})})
    there = {id_ for id_, place in zip(judged, store.positions(judged), strict=True) if place >= 0}
    if qrels and not there:
        got = f"judgements of {len(judged):,} documents" if judged else f"queries such as {next(iter(texts), 'none')!r}"
        raise CollectionError(
            f"the judgements are of no query and document of {store.path}",
            expected="ids of the queries, and of documents that the index holds",
            got=got,
        )
    grades: dict[str, dict[str, int]] = {}
    ids: dict[str, str] = {}
    for query, text in texts.items():
        if text.strip():
            own = {id_: grade for id_, grade in positive.get(query, {}).items() if id_ in there}
            ids.setdefault(text, query)
            grades.setdefault(text, {}).update(own)
    kept = list(grades)
    if len(kept) > settings.asked:
        kept = Random(settings.seed).sample(kept, settings.asked)
    return [Asked(f"asked-{ids[text]}", text, grades[text], "judged" if grades[text] else "log") for text in kept]


def made_queries(store: Store, settings: Settings, asked: list[Asked]) -> list[Asked]:
    """Titles and spans of documents, each answered by its document; not one that somebody asked as well.

    Raises:
        InputError: the index holds no texts.
    """
    commit = store.commit
    if commit.documents and commit.empty_texts == commit.documents:
        raise InputError(
            f"{store.path} holds vectors without texts, and there is nothing to learn from them",
            expected="documents with texts",
            fix="index them with their texts",
        )
    known = {each.text for each in asked}
    made: dict[str, Asked] = {}
    for turn in range(ROUNDS):
        for row in _rows(store, settings.seed + turn):
            for name, text in _texts_of(row, turn, settings.seed):
                if len(made) >= settings.made:
                    return list(made.values())
                if text not in known:
                    made.setdefault(text, Asked(f"{name}-{row['id']}", text, {row["id"]: 1}, "made"))
    return list(made.values())


def generated_queries(store: Store, settings: Settings, file: Path, header: Mapping[str, Any]) -> list[Asked]:
    """Questions that a model writes for documents, one each. A stop loses the block at work; the same call goes on.

    Args:
        store: the index.
        settings: the model, and for how many documents; nothing is written where it names no model.
        file: where they are written down.
        header: says what they are of.

    Raises:
        ModelError: the model cannot be found, or writes nothing.
    """
    if settings.generator is None:
        return []
    rows = list(islice((row for row in _rows(store, settings.seed) if row["text"].strip()), settings.generated))
    with Ledger(file, header) as ledger, Progress("Writing questions", len(rows), "questions") as bar:
        bar.advance(ledger.done)
        if ledger.done < len(rows):
            from hyperir.train.questions import QuestionWriter

            write = QuestionWriter(settings.generator)
            while ledger.done < len(rows):
                some = rows[ledger.done : ledger.done + WRITTEN]
                texts = write(some, settings.seed + ledger.done)
                ledger.append({"id": row["id"], "text": text} for row, text in zip(some, texts, strict=True))
                bar.advance(len(some))
    with file.open(encoding="utf-8") as lines:
        next(lines)
        found = [json.loads(line) for line in lines]
    made: dict[str, Asked] = {}
    for one in found:
        if one["text"]:  # what is asked of several documents all of them answer
            first = made.setdefault(one["text"], Asked(f"generated-{one['id']}", one["text"], {}, "generated"))
            made[one["text"]] = replace(first, grades={**first.grades, one["id"]: 1})
    if rows and not made:
        raise ModelError(f"{settings.generator} writes nothing", expected="questions", got=f"{len(rows)} empty texts")
    return list(made.values())


def _rows(store: Store, seed: int) -> Iterator[Row]:
    """All documents alive, shuffled."""
    alive = list(range(store.commit.stored)) if store.alive is None else store.alive.nonzero()[:, 0].tolist()
    Random(seed).shuffle(alive)
    for start in range(0, len(alive), BLOCK):
        yield from store.rows(alive[start : start + BLOCK])


def _texts_of(row: Row, turn: int, seed: int) -> Iterator[tuple[str, str]]:
    title = " ".join((row.get("title") or "").split())
    if turn == 0 and len(title.split()) >= TITLE:
        yield "title", title
    words = row["text"].split()
    if len(words) >= 2 * WORDS[0]:
        draw = Random(f"{seed} {row['id']} {turn}")
        length = min(draw.randint(*WORDS), len(words) // 2)
        start = draw.randint(0, len(words) - length)
        yield f"span-{turn}", " ".join(words[start : start + length])

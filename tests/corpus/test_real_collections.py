"""Counts of real collections; HYPERIR_DATA names the folder that holds them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hyperir.corpus import open_collection
from hyperir.corpus.trec import read_qrels, read_queries, read_run

DATA = os.environ.get("HYPERIR_DATA", "")
pytestmark = pytest.mark.skipif(not DATA, reason="HYPERIR_DATA does not name a folder of real collections")

COUNTS = {  # documents, {split: (queries, judgements)}
    "squad": (20_958, {"dev": (10_532, 10_534), "train": (87_341, 87_423)}),
    "tldr-pages": (6_825, {"dev": (2_870, 2_962), "test": (2_738, 2_830), "train": (22_523, 23_318)}),
    "nl2bash": (10_624, {"dev": (1_126, 1_240), "test": (1_130, 1_295), "train": (9_085, 10_071)}),
    "scitldr": (3_229, {"dev": (1_449, 1_453), "test": (1_967, 1_967), "train": (1_990, 1_992)}),
    "scifact": (5_183, {"test": (300, 339), "train": (809, 919)}),
    "boolq": (5_483, {"dev": (3_270, 3_270)}),
    "trec-dl-2019-pooled": (30_005, {"full-test": (43, 9_260), "test": (43, 4_342)}),
    "cranfield": (1_400, {"test": (225, 1_837)}),
    "vaswani": (11_429, {"test": (93, 2_083)}),
    "medline": (1_033, {"test": (30, 696)}),
}


@pytest.mark.parametrize("name", COUNTS)
def test_counts(name):
    collection = open_collection(Path(DATA, name))
    documents, splits = COUNTS[name]
    ids, number = set(), 0
    for row in collection.documents():
        number += 1
        assert isinstance(row["text"], str)
        assert isinstance(row["title"], str)
        ids.add(row["id"])
    assert len(ids) == number == documents
    assert collection.splits == sorted(splits)
    assert collection.name == name
    for split, (queries, judgements) in splits.items():
        qrels = collection.qrels(split)
        assert len(collection.queries(split)) == len(qrels) == queries
        assert sum(map(len, qrels.values())) == judgements
        if split != "full-test":  # it judges the whole of MS MARCO
            assert all(ids.issuperset(judged) for judged in qrels.values())


def test_runs_and_variants_of_trec_dl():
    folder = Path(DATA, "trec-dl-2019-pooled")
    judged = read_qrels(folder / "qrels" / "full-test.tsv.gz").keys()
    for path in sorted((folder / "runs").iterdir()):
        assert read_run(path).keys() >= judged, path
    assert read_queries(folder / "variants" / "queries.dl19.typo1.jsonl").keys() >= judged

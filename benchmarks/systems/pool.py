"""What every learned system of `benchmarks/systems` learns from: the train splits of two collections, in one folder.

- `corpus.jsonl.gz`, `queries.jsonl.gz`, `qrels/train.tsv`: tldr-pages, and scitldr three times, since it is small.
- `pairs.jsonl`: for weak supervision, each query with what BM25 found, its best first, and others drawn at random;
  nobody's judgement is in it.

Nothing of a dev or test split is read, and no other collection.
"""

import json
import random

from testbeds import write_lines

import hyperir
from hyperir.search.bare import Bare

SOURCES = {"tldr-pages": 1, "scitldr": 3}  # times each pair counts
FOUND, DRAWN = 3, 3  # documents of a query in pairs.jsonl


def pool(collections, folder):
    """Write the collection."""
    corpus, pairs = [], []
    for name, times in SOURCES.items():
        collection = hyperir.open_collection(str(collections / name))
        corpus += [
            {"_id": f"{name}/{row['id']}", "title": row.get("title") or "", "text": row["text"]}
            for row in collection.documents()
        ]
        queries = collection.queries("train")
        own = [(queries[query], f"{name}/{id_}") for query, found in collection.qrels("train").items() for id_ in found]
        pairs += own * times
    (folder / "qrels").mkdir(parents=True)
    write_lines(folder / "corpus.jsonl.gz", corpus)
    write_lines(folder / "queries.jsonl.gz", ({"_id": f"q{i}", "text": text} for i, (text, _) in enumerate(pairs)))
    lines = "".join(f"q{i}\t{id_}\t1\n" for i, (_, id_) in enumerate(pairs))
    (folder / "qrels" / "train.tsv").write_text("query-id\tcorpus-id\tscore\n" + lines)


def write_third(folder):
    """The split "third", of every third judged pair, for who reads all queries before the first step."""
    header, *lines = (folder / "qrels" / "train.tsv").read_text().splitlines(keepends=True)
    (folder / "qrels" / "third.tsv").write_text(header + "".join(lines[::3]))


def weak_pairs(folder, output, seed=0):
    """Write pairs.jsonl: queries with what BM25 found and others, without a word on which of them are relevant."""
    collection, drawn = hyperir.open_collection(str(folder)), random.Random(seed)
    rows = {row["id"]: row for row in collection.documents()}
    texts = {id_: f"{row.get('title') or ''} {row['text']}".strip() for id_, row in rows.items()}
    wanted, ids, lines = list(collection.queries("train").values()), list(rows), []
    for query, found in zip(wanted, Bare("bm25", collection).answer(wanted, FOUND), strict=True):
        items = [{"id": id_, "content": texts[id_]} for id_ in dict.fromkeys([*found, *drawn.sample(ids, DRAWN)])]
        if len(items) == FOUND + DRAWN:
            lines.append({"query": {"content": query}, "items": items})
    output.write_text("".join(json.dumps(line) + "\n" for line in lines))

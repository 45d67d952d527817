"""The test collections of `benchmarks/systems`: all of a small one, and of a large one a sample."""

import gzip
import json
import random

import hyperir

COLLECTIONS = ("scifact", "scitldr", "cranfield", "medline", "vaswani", "nl2bash", "tldr-pages")
TRAINED_ON = ("scitldr", "tldr-pages")  # their train splits


def make_testbed(source, folder, queries, documents, seed=0):
    """Write a BEIR folder, unless it is there.

    Args:
        source: the collection's folder.
        folder: to be written.
        queries: drawn from the judged ones of the test split, at most; None takes all.
        documents: at most: those judged for these queries, and others drawn; None takes all. Queries are left out at
            random as long as there are more judged ones.
        seed: of what is drawn.
    """
    if (folder / "qrels" / "test.tsv").is_file():
        return
    collection, drawn = hyperir.open_collection(str(source)), random.Random(seed)
    qrels = {q: own for q, own in collection.qrels("test").items() if any(grade > 0 for grade in own.values())}
    chosen = sorted(qrels)
    if queries is not None and len(chosen) > queries:
        chosen = sorted(drawn.sample(chosen, queries))
    rows = {row["id"]: row for row in collection.documents()}
    judged = {document for q in chosen for document in qrels[q]}
    while documents is not None and len(judged) > documents:
        chosen.remove(drawn.choice(chosen))
        judged = {document for q in chosen for document in qrels[q]}
    rest = [document for document in rows if document not in judged]
    if documents is not None and len(rows) > documents:
        rest = drawn.sample(rest, max(0, documents - len(judged)))
    kept = judged | set(rest)
    texts = collection.queries("test")
    (folder / "qrels").mkdir(parents=True, exist_ok=True)
    documents_of = ({"_id": i, "title": r.get("title") or "", "text": r["text"]} for i, r in rows.items() if i in kept)
    write_lines(folder / "corpus.jsonl.gz", documents_of)
    write_lines(folder / "queries.jsonl.gz", ({"_id": q, "text": texts[q]} for q in chosen))
    lines = "".join(f"{q}\t{document}\t{grade}\n" for q in chosen for document, grade in qrels[q].items())
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + lines)


def write_lines(path, values):
    """JSON lines, compressed."""
    with gzip.open(path, "wt", compresslevel=3) as lines:
        lines.writelines(json.dumps(value, ensure_ascii=False) + "\n" for value in values)

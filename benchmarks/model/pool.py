"""The training collection of the default model: pairs of four sources in one BEIR folder.

    python benchmarks/model/pool.py FOLDER_OF_COLLECTIONS -o pooled

- squad: questions of the train split -> their paragraphs. Every twentieth article is kept from training.
- tldr-pages, scitldr: their train splits; scitldr's, which is small, three times.
- Python's documentation, of which nothing is learned: it stands among the documents, and of every twentieth passage a
  sentence -> the name with the rest of it validates how a model does on what it did not learn from.

The split `train` is learned from. `dev` validates: questions about the articles kept, the dev splits of tldr-pages and
scitldr, sentences of Python's docstrings. Nothing of a test split is read, and no other collection.
"""

import argparse
import gzip
import hashlib
import json
import random
import re
from pathlib import Path

import hyperir

SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z])|\n\s*\n")


def kept(name):
    """Whether an article or passage is kept from training: always the same twentieth."""
    return int(hashlib.sha256(name.encode()).hexdigest(), 16) % 20 == 0


class Pool:
    """Documents and pairs, as they are found."""

    def __init__(self):
        self.corpus, self.pairs = {}, {"train": [], "dev": []}

    def add(self, split, query, name, row):
        self.stand(name, row)
        self.pairs[split].append((query, name))

    def stand(self, name, row):
        """A document that nobody asks for, as far as this says."""
        self.corpus[name] = {"_id": name, "title": row.get("title") or "", "text": row["text"]}

    def collection(self, folder, splits):
        """All judged pairs of some splits; the documents of all of them."""
        collection = hyperir.open_collection(str(folder))
        rows = {row["id"]: row for row in collection.documents()}
        for split in splits:
            queries = collection.queries(split)
            for query, found in collection.qrels(split).items():
                for document in found:
                    yield split, queries[query], f"{folder.name}/{document}", rows[document]


def python_pairs(rows):
    """(sentence, name, row without it), one a passage: the first sentence, or of every second long one another."""
    for row in rows:
        parts = [part for part in SENTENCE.split(row["text"]) if part and part.strip()]
        digest = int(hashlib.sha256(row["text"].encode()).hexdigest(), 16)
        i = 1 + digest // 2 % (len(parts) - 1) if len(parts) > 2 and digest % 2 else 0
        query = " ".join(parts[i].split()) if parts else ""
        if 20 <= len(query) <= 200 and re.search(r"[a-z]{3}", query):
            rest = "\n".join(parts[:i] + parts[i + 1 :])
            left = {"title": row["title"], "text": rest} if rest.strip() else {"text": row["title"]}
            yield query, f"python/{row['id']}", left


def gathered(root, squad, seed):
    """The pool; of squad's train questions so many, drawn."""
    pool = Pool()
    found = [
        ("dev" if kept(row["title"]) else "train", query, name, row)
        for _, query, name, row in pool.collection(root / "squad", ["train"])
    ]
    training = [pair for pair in found if pair[0] == "train"]
    for pair in random.Random(seed).sample(training, min(squad, len(training))):
        pool.add(*pair)
    for pair in found:
        if pair[0] == "dev":
            pool.add(*pair)
    for pair in pool.collection(root / "tldr-pages", ["train", "dev"]):
        pool.add(*pair)
    for split, *pair in pool.collection(root / "scitldr", ["train", "dev"]):
        for _ in range(3 if split == "train" else 1):
            pool.add(split, *pair)
    for query, name, row in python_pairs(hyperir.open_collection("pydoc").documents()):
        if kept(name):
            pool.add("dev", query, name, row)
        else:
            pool.stand(name, row)
    return pool


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("collections", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--squad", type=int, default=40_000, help="questions of squad, drawn")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    (options.output / "qrels").mkdir(parents=True)
    pool = gathered(options.collections, options.squad, options.seed)
    write_lines(options.output / "corpus.jsonl.gz", pool.corpus.values())
    pairs = [(f"{split}{i}", split, *pair) for split, found in pool.pairs.items() for i, pair in enumerate(found)]
    write_lines(options.output / "queries.jsonl.gz", ({"_id": id_, "text": query} for id_, _, query, _ in pairs))
    for split in pool.pairs:
        with (options.output / "qrels" / f"{split}.tsv").open("w") as lines:
            lines.write("query-id\tcorpus-id\tscore\n")
            lines.writelines(f"{id_}\t{name}\t1\n" for id_, own, _, name in pairs if own == split)
    print(f"{len(pool.corpus):,} documents, pairs: { {split: len(found) for split, found in pool.pairs.items()} }")


def write_lines(path, values):
    with gzip.open(path, "wt", compresslevel=3) as lines:
        lines.writelines(json.dumps(value, ensure_ascii=False) + "\n" for value in values)


if __name__ == "__main__":
    main()

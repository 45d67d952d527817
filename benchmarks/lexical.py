"""BM25 against bm25s, in memory and in an index folder, in one run.

    python benchmarks/lexical.py [--documents 50000] [--repeats 5]

Made texts: words are drawn with probabilities that fall as 1 / rank, as those of a language do. The two libraries index
and search the same texts, with the same words found, left out and stemmed, in turn. A folder is what `Index.add` and
`Index.build("inverted")` write: texts, counts and lists, hashed and synced; it is opened again for its searches. Search
of lists against a dense product is in `benchmarks/sparse.py`.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import bm25s
import numpy as np
import Stemmer
import torch

import hyperir
from hyperir.encode.lexical import LexicalModel
from hyperir.index.strategies import STRATEGIES
from hyperir.search.bm25 import WORD

WORDS, LENGTH, ASKED, QUERIES, K = 100_000, 100, 4, 200, 10


def made_texts(generator, count, length, first=0):
    chances = 1 / np.arange(first + 1, WORDS + 1)
    drawn = generator.choice(np.arange(first, WORDS), (count, length), p=chances / chances.sum())
    return [" ".join(f"w{word:x}" for word in row) for row in drawn.tolist()]


def timed(work):
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


class Theirs:
    def index(self, texts):
        self.engine = bm25s.BM25()
        self.engine.index(self.words(texts), show_progress=False)

    def words(self, texts):
        return bm25s.tokenize(
            texts, stopwords="en", stemmer=Stemmer.Stemmer("english"), token_pattern=WORD, show_progress=False
        )

    def search(self, queries):
        return self.engine.retrieve(self.words(queries), k=K, show_progress=False)


class Ours:
    def index(self, texts):
        model = LexicalModel()  # with an empty memory of words
        docs = model.encode_document(texts, show_progress_bar=False)
        self.model = model.fitted(docs)
        self.lists = STRATEGIES.build("inverted", docs=docs)
        self.search(["a word"])  # the lists are made at the first search

    def search(self, queries):
        return self.lists.search(self.model.encode_query(queries), K)


class Folder:
    """Ours on disk."""

    def __init__(self, place):
        self.place, self.made = place, 0

    def index(self, texts):
        self.made += 1
        rows = ({"id": str(number), "text": text} for number, text in enumerate(texts))
        index = hyperir.Index.create(self.place / f"{self.made}.index", LexicalModel())
        index.add(rows, show_progress=False)
        index.build("inverted", show_progress=False)
        self.opened = hyperir.Index.open(index.store.path)
        self.opened.find(["a word"], K)

    def search(self, queries):
        return self.opened.find(queries, K)


def against_bm25s(options, place):
    generator = np.random.default_rng(0)
    texts = made_texts(generator, options.documents, LENGTH)
    queries = made_texts(generator, QUERIES, ASKED, first=20)
    systems = {"ours": Ours(), "bm25s": Theirs(), "our folder": Folder(place)}
    times = {(who, what): [] for who in systems for what in ("index", "search")}
    for _ in range(options.repeats):
        for who, system in systems.items():
            times[who, "index"].append(timed(lambda system=system: system.index(texts))[0])
            times[who, "search"].append(timed(lambda system=system: system.search(queries))[0])
    print(f"{options.documents:,} documents of {LENGTH} words; {QUERIES} queries of {ASKED}")
    for what, unit, count in (("index", "s", 1), ("search", "ms a query", QUERIES / 1000)):
        other = statistics.median(times["bm25s", what])
        for who in ("ours", "our folder"):
            mine = statistics.median(times[who, what])
            print(
                f"  {what}, {who}: {mine / count:.2f} {unit}, bm25s {other / count:.2f}: {mine / other:.2f} of its time"
            )
    theirs = systems["bm25s"].search(queries)[1]
    for who in ("ours", "our folder"):
        differing = np.abs(systems[who].search(queries).scores.numpy() - theirs).max()
        print(f"  largest difference of the {K} best scores, {who}: {differing:.1e}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--documents", type=int, default=50_000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as place:
        against_bm25s(options, Path(place))


if __name__ == "__main__":
    main()

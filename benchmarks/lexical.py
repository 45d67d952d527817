"""BM25 against bm25s, and search by inverted lists against a dense product over the vocabulary, in one run.

    python benchmarks/lexical.py [--documents 50000] [--repeats 5]

Made texts: words are drawn with probabilities that fall as 1 / rank, as those of a language do. The two libraries index
and search the same texts, with the same words found, left out and stemmed, in turn. The dense product is one of the
queries with all documents over a vocabulary of `--vocabulary` terms, as small as learned sparse models have it, cut
down to as many documents as memory holds.
"""

import argparse
import statistics
import time

import bm25s
import numpy as np
import Stemmer
import torch

from hyperir.core.docs import Sparse
from hyperir.encode.lexical import LexicalModel
from hyperir.index.strategies import STRATEGIES
from hyperir.relevance.sparse import SparseInner, as_stored
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


def against_bm25s(options):
    generator = np.random.default_rng(0)
    texts = made_texts(generator, options.documents, LENGTH)
    queries = made_texts(generator, QUERIES, ASKED, first=20)
    ours, theirs = Ours(), Theirs()
    times = {(who, what): [] for who in ("ours", "theirs") for what in ("index", "search")}
    for _ in range(options.repeats):
        for who, system in (("ours", ours), ("theirs", theirs)):
            times[who, "index"].append(timed(lambda system=system: system.index(texts))[0])
            times[who, "search"].append(timed(lambda system=system: system.search(queries))[0])
    print(f"{options.documents:,} documents of {LENGTH} words; {QUERIES} queries of {ASKED}")
    for what, unit, count in (("index", "s", 1), ("search", "ms a query", QUERIES / 1000)):
        mine, other = (statistics.median(times[who, what]) for who in ("ours", "theirs"))
        print(f"  {what}: {mine / count:.2f} {unit}, bm25s {other / count:.2f}: {mine / other:.2f} of its time")
    differing = np.abs(ours.search(queries).scores.numpy() - theirs.search(queries)[1]).max()
    print(f"  largest difference of the {K} best scores: {differing:.1e}")


def against_a_product(options):
    torch.manual_seed(0)
    n, vocabulary, held, asked = options.dense, options.vocabulary, 100, 20
    terms = (torch.rand(n, held) ** 2 * vocabulary).long().sort(1).values
    terms = (terms + torch.arange(held)) % vocabulary  # all different
    indptr = torch.arange(0, n * held + 1, held)
    docs = Sparse(indptr, terms.reshape(-1), torch.rand(n * held))
    wanted = torch.stack([torch.randperm(vocabulary)[:asked] for _ in range(32)])
    queries = Sparse(torch.arange(0, 32 * asked + 1, asked), wanted.reshape(-1), torch.rand(32 * asked))
    f = SparseInner(queries, as_stored, torch.zeros(32))
    matrix, weights = docs.dense(vocabulary).vectors.T.contiguous(), queries.dense(vocabulary).vectors
    lists = STRATEGIES.build("inverted", docs=docs)
    lists.search(f[:1], K)
    for count in (1, 32):
        few, some = f[:count], weights[:count]
        sparse, dense = [], []
        for _ in range(options.repeats):
            sparse.append(timed(lambda few=few: lists.search(few, K))[0])
            dense.append(timed(lambda some=some: (some @ matrix).topk(K))[0])
        ratio = statistics.median(dense) / statistics.median(sparse)
        print(
            f"{n:,} documents of {held} terms out of {vocabulary:,}, queries of {asked}, {count} at once: "
            f"{1000 * statistics.median(sparse) / count:.2f} ms a query, {ratio:.1f} times as fast as the dense product"
        )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--documents", type=int, default=50_000)
    parser.add_argument("--dense", type=int, default=20_000, help="documents beside the dense product")
    parser.add_argument("--vocabulary", type=int, default=30_522)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    against_bm25s(options)
    against_a_product(options)


if __name__ == "__main__":
    main()

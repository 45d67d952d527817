"""All texts of real collections as vectors in one index: what the search benchmarks run on.

    python benchmarks/search/vectors.py FOLDER_OF_COLLECTIONS -o real.index

Every BEIR folder found is taken: its documents, then its queries, under ids "collection/d/id" and "collection/q/id".
Texts that stand more than once are taken once. Documents are cut at 400 characters, a paragraph, and encoded in
bfloat16, so that a laptop is done within the hour: what is searched are vectors of real text, not these collections'
tasks. An interrupted run goes on where it was.
"""

import argparse
from pathlib import Path

import torch

import hyperir
from hyperir.corpus.jsonl import Jsonl, JsonlConfig

LONGEST = 400  # characters of a text


def texts(folder, seen):
    """{"id", "text", "collection", "kind"} of one collection, each text once."""
    for name, kind in (("corpus.jsonl.gz", "document"), ("queries.jsonl.gz", "query")):
        for row in Jsonl(JsonlConfig(source=str(folder / name))).documents():
            text = f"{row.get('title') or ''} {row['text']}".strip()[:LONGEST]
            if text and text not in seen:
                seen.add(text)
                own = f"{folder.name}/{kind[0]}/{row['id']}"
                yield {"id": own, "text": text, "collection": folder.name, "kind": kind}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("collections", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--model", default="hyperir-minilm")
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    model = hyperir.load(options.model, dtype=torch.bfloat16)
    make = hyperir.Index.open if options.output.exists() else hyperir.Index.create
    index = make(options.output, model=model)
    seen = set()
    for folder in sorted(f for f in options.collections.iterdir() if (f / "corpus.jsonl.gz").exists()):
        added = index.add(list(texts(folder, seen)), resume=True)
        print(f"{folder.name:24}{added:10,} added, {len(index):10,} in all", flush=True)


if __name__ == "__main__":
    main()

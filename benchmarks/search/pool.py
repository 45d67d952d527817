"""One collection of all texts of real collections: documents and queries side by side, what the benchmarks search.

    python benchmarks/search/pool.py FOLDER_OF_COLLECTIONS -o pooled
    hyperir index pooled -o real.index

Every BEIR folder found is taken: its documents, then its queries, all as documents, under ids "collection/d/id" and
"collection/q/id"; judgements and queries come along, so that q-nets can be trained and their quality be measured.
Texts are cut at 400 characters, a paragraph, so that a laptop encodes them within the hour; the next 400 of a document
are a text of their own, "collection/e/id", if there are so many. A text that stands more than once is taken once, and
judgements follow it.
"""

import argparse
import gzip
import json
from pathlib import Path

from hyperir.corpus import open_collection
from hyperir.corpus.jsonl import Jsonl, JsonlConfig

LONGEST = 400  # characters of a text


def rows_of(folder, places):
    """Rows of one collection, each text once; `places` remembers text -> id over all collections."""
    for name, kind in (("corpus.jsonl.gz", "document"), ("queries.jsonl.gz", "query")):
        for row in Jsonl(JsonlConfig(source=str(folder / name))).documents():
            whole = f"{row.get('title') or ''} {row['text']}".strip()
            for part, start in ((kind[0], 0), ("e", LONGEST))[: 1 + (len(whole) >= 2 * LONGEST)]:
                text, own = whole[start : start + LONGEST], f"{folder.name}/{part}/{row['id']}"
                first = places.setdefault(text, own)
                yield {"id": own, "text": text, "collection": folder.name, "kind": kind}, first


def write_lines(path, values):
    with gzip.open(path, "wt", compresslevel=3) as lines:
        lines.writelines(json.dumps(value, ensure_ascii=False) + "\n" for value in values)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("collections", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    (options.output / "qrels").mkdir(parents=True)
    places, same, corpus, queries, judged = {}, {}, [], [], {}
    for folder in sorted(f for f in options.collections.iterdir() if (f / "corpus.jsonl.gz").exists()):
        for row, first in rows_of(folder, places):
            same[row["id"]] = first
            if row["text"] and first == row["id"]:
                corpus.append(row)
            if row["id"].startswith(f"{folder.name}/q/") and row["text"]:
                queries.append({"_id": row["id"], "text": row["text"]})
        collection = open_collection(str(folder))
        for split in collection.splits:
            for query, found in collection.qrels(split).items():
                own = judged.setdefault(split, {}).setdefault(f"{folder.name}/q/{query}", {})
                for document, grade in found.items():
                    place = same.get(f"{folder.name}/d/{document}")  # a pool may judge documents that it leaves out
                    if place is not None:
                        own[place] = max(grade, own.get(place, grade))
    write_lines(options.output / "corpus.jsonl.gz", ({"_id": row.pop("id"), **row} for row in corpus))
    write_lines(options.output / "queries.jsonl.gz", queries)
    for split, qrels in judged.items():
        with (options.output / "qrels" / f"{split}.tsv").open("w") as lines:
            lines.write("query-id\tcorpus-id\tscore\n")
            lines.writelines(f"{q}\t{d}\t{g}\n" for q, found in qrels.items() for d, g in found.items())
    print(f"{len(corpus):,} texts, {len(queries):,} queries, judged: { {s: len(q) for s, q in judged.items()} }")


if __name__ == "__main__":
    main()

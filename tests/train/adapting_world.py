"""A made-up index whose queries are read by another random transformer than its documents: there is much to gain."""

import json
import random

from tiny_models import VOCABULARY, make_model

import hyperir

WORDS = [word for word in VOCABULARY if word.isalpha() and len(word) > 1]
FAST = {
    "learn": "head",
    "steps": 40,
    "made": 0,
    "rates": (3e-3,),
    "shares": (1.0,),
    "batch": 16,
    "candidates": 16,
    "teacher": ("none",),
}


def make_adapting_world(folder, documents=120, asked=400):
    """Documents of one word many times and six others; a query names the word, and all its documents answer it."""
    drawn = random.Random(0)
    topics = [WORDS[i % len(WORDS)] for i in range(documents)]
    rows = [
        {"id": f"d{i}", "title": "", "text": " ".join([topic] * 10 + drawn.sample(WORDS, 6))}
        for i, topic in enumerate(topics)
    ]
    queries = {f"q{i}": (WORDS[i % len(WORDS)], drawn.choices(WORDS, k=3)) for i in range(asked)}
    lines = [json.dumps({"_id": id_, "text": " ".join([topic] * 4 + more)}) for id_, (topic, more) in queries.items()]
    (folder / "queries.jsonl").write_text("\n".join(lines) + "\n")
    judged = [f"{id_}\td{i}\t1" for id_, (topic, _) in queries.items() for i, own in enumerate(topics) if own == topic]
    (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n" + "\n".join(judged) + "\n")
    make_model("dot", query_seed=3).save_pretrained(folder / "model")
    index = hyperir.Index.create(folder / "my.index", str(folder / "model"))
    index.add(rows, show_progress=False)
    return folder

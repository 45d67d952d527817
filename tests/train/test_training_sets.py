"""Training sets: every format gives the same examples, wrong lines are named, and little is held in memory."""

import csv
import gc
import gzip
import json
import math
import pickle
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tiny_models import VOCABULARY, make_tokenizer

from hyperir.core.errors import CollectionError, ConfigError, InputError
from hyperir.train.data import SETS, open_training

QUERIES = ["what is a fox", "who is lazy", 'naïve "quoted", query']
POSITIVES = ["a fox is quick", "the dog is lazy", "an answer, with a comma"]
NEGATIVES = [["a dog", "a cat"], ["a fox", "a cat"], ["a dog", "the dog is lazy"]]
SCORES = [[3.5, 1.0, -2.0], [1.0, 2.0, 0.5], [0.25, 0.0, -1.0]]


def write_lines(path, values):
    path.write_text("".join(json.dumps(value) + "\n" for value in values))
    return path


def packed(path):
    target = path.with_name(path.name + ".gz")
    target.write_bytes(gzip.compress(path.read_bytes()))
    return target


def hypencoder(folder):
    lines = [
        {
            "query": {"id": str(i), "content": q},
            "items": [{"content": t, "score": s} for t, s in zip([p, *n], scores, strict=True)],
        }
        for i, (q, p, n, scores) in enumerate(zip(QUERIES, POSITIVES, NEGATIVES, SCORES, strict=True))
    ]
    return write_lines(folder / "paper.jsonl", lines)


def rows():
    for q, p, n, s in zip(QUERIES, POSITIVES, NEGATIVES, SCORES, strict=True):
        yield {"anchor": q, "positive": p, "negative_2": n[1], "negative_1": n[0], "scores": s}


def columns(folder):
    return write_lines(folder / "columns.jsonl", rows())


def parquet(folder):
    pq.write_table(pa.Table.from_pylist(list(rows())), folder / "columns.parquet")
    return folder / "columns.parquet"


def triples(folder):
    lines = [
        [q, *([t, s] for t, s in zip([p, *n], scores, strict=True))]
        for q, p, n, scores in zip(QUERIES, POSITIVES, NEGATIVES, SCORES, strict=True)
    ]
    return write_lines(folder / "triples.jsonl", lines)


FORMATS = [hypencoder, columns, parquet, triples]


def check(training_set):
    assert len(training_set) == 3
    for i in (2, 0, 1):
        example = training_set[i]
        assert example.query == QUERIES[i]
        assert [training_set.text(item) for item in example.items] == [POSITIVES[i], *NEGATIVES[i]]
        assert example.labels == tuple(SCORES[i])
        assert example.positives == {example.items[0]}
    assert training_set[0].items[1] == training_set[2].items[1], "equal texts are one document"


@pytest.mark.parametrize("make", FORMATS)
def test_every_format_gives_the_same_examples(make, tmp_path):
    path = make(tmp_path)
    check(open_training(path))
    if path.suffix == ".jsonl":
        check(open_training(packed(path)))


def test_csv_has_lists_in_no_column(tmp_path):
    path = tmp_path / "columns.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["query", "positive", "negative"])
        for q, p, n in zip(QUERIES, POSITIVES, NEGATIVES, strict=True):
            writer.writerow([q, p + "\nsecond line", n[0]])
    training_set = open_training(path)
    assert [training_set[i].query for i in range(3)] == QUERIES
    assert training_set.text(training_set[1].items[0]) == "the dog is lazy\nsecond line"
    assert all(math.isnan(label) for label in training_set[0].labels)


def test_texts_are_found_again_without_their_example(tmp_path):
    training_set = open_training(hypencoder(tmp_path))
    ids = [item for i in range(3) for item in training_set[i].items]
    fresh = open_training(tmp_path / "paper.jsonl")
    assert [fresh.text(id_) for id_ in ids] == [training_set.text(id_) for id_ in ids]
    with pytest.raises(InputError, match="'nobody'"):
        fresh.text("nobody")


def test_an_id_means_its_first_text(tmp_path):
    lines = [
        {"query": "one", "items": [{"id": "a", "content": "first text"}]},
        {"query": "two", "items": [{"id": "a", "content": "other text"}, {"id": 7, "content": "seven"}]},
    ]
    path = write_lines(tmp_path / "paper.jsonl", lines)
    before, after = open_training(path), open_training(path)
    after[0]
    for training_set in (before, after):
        assert training_set[1].items == ("a", "7")
        assert training_set.text("a") == "first text"


def test_the_best_item_can_be_the_positive(tmp_path):
    training_set = SETS.build({"type": "hypencoder", "source": str(hypencoder(tmp_path)), "positive": "best"})
    assert training_set.text(training_set[1].items[0]) == "a fox"
    assert training_set[1].labels == (2.0, 1.0, 0.5)


def test_token_ids_become_texts(tmp_path):
    tokenizer = make_tokenizer()
    tokenizer.add_special_tokens(["[CLS]", "[SEP]"])
    (tmp_path / "tokenizer").mkdir()
    tokenizer.save(str(tmp_path / "tokenizer" / "tokenizer.json"))
    tokens = [VOCABULARY[word] for word in ("[CLS]", "quick", "fox", "[SEP]")]
    line = {"query": {"tokenized_content": tokens}, "items": [{"tokenized_content": tokens[2:]}]}
    path = write_lines(tmp_path / "paper.jsonl", [line])
    with pytest.raises(CollectionError, match=r"line 1 .*token ids"):
        open_training(path)
    training_set = open_training(path, tokenizer=str(tmp_path / "tokenizer"))
    assert training_set[0].query == "quick fox"
    assert training_set.text(training_set[0].items[0]) == "fox"


def test_a_table_with_tabs_has_a_header(tmp_path):
    path = tmp_path / "columns.tsv"
    path.write_text("positive\tquery\n" + "".join(f"{p}\t{q}\n" for q, p in zip(QUERIES, POSITIVES, strict=True)))
    assert [open_training(path)[i].query for i in range(3)] == QUERIES


@pytest.mark.parametrize("zipped", [False, True])
def test_tab_separated_triples_of_texts(tmp_path, zipped):
    path = tmp_path / "triples.tsv"
    path.write_text("".join(f"{q}\t{p}\t{n[0]}\n" for q, p, n in zip(QUERIES, POSITIVES, NEGATIVES, strict=True)))
    training_set = open_training(packed(path) if zipped else path)
    assert training_set[2].query == QUERIES[2]
    assert [training_set.text(item) for item in training_set[2].items] == [POSITIVES[2], "a dog"]


def test_triples_of_ids_with_scores(tmp_path):
    write_lines(tmp_path / "corpus.jsonl", [{"id": str(i), "text": f"text {i}", "title": "t"} for i in range(4)])
    (tmp_path / "queries.tsv").write_text("q1\tfirst\nq2\tsecond\n")
    (tmp_path / "triples.tsv").write_text("3.5\t-1\tq2\t3\t0\n1\t2\tq1\t1\t2\n")
    options = {"queries": str(tmp_path / "queries.tsv"), "documents": str(tmp_path / "corpus.jsonl")}
    training_set = open_training(tmp_path / "triples.tsv", scores_first=True, **options)
    assert training_set[0].query == "second"
    assert training_set[0].items == ("3", "0")
    assert training_set[0].labels == (3.5, -1.0)
    assert training_set.text("3") == {"id": "3", "title": "t", "text": "text 3"}
    for wrong, named in (("3\t1\tq9\t3\t0\n", "'q9'"), ("3\t1\tq1\t3\t9\n", "'9'")):
        (tmp_path / "wrong.tsv").write_text("1\t2\tq1\t1\t2\n" + wrong)
        with pytest.raises(CollectionError, match=f"line 2 .*{named}"):
            open_training(tmp_path / "wrong.tsv", scores_first=True, **options)
    with pytest.raises(ConfigError, match="both queries and documents"):
        open_training(tmp_path / "triples.tsv", queries=options["queries"])


@pytest.mark.parametrize(
    ("value", "labels"),
    [(2.5, (0.0, -2.5)), ([2.5], (0.0, -2.5)), ([4.0, 1.5], (4.0, 1.5)), ("3", (0.0, -3.0))],
)
def test_a_number_for_two_texts_is_a_margin(tmp_path, value, labels):
    row = {"query": "q", "positive": "p", "negative": "n", "label": value}
    assert open_training(write_lines(tmp_path / "t.jsonl", [row]))[0].labels == labels


def test_empty_negatives_are_left_out_with_their_labels(tmp_path):
    row = {
        "query": "q",
        "positive": "p",
        "negative_1": "",
        "negative_10": "b",
        "negative_9": "a",
        "scores": [1, 2, 3, 4],
    }
    training_set = open_training(write_lines(tmp_path / "t.jsonl", [row]))
    assert [training_set.text(item) for item in training_set[0].items] == ["p", "a", "b"]
    assert training_set[0].labels == (1, 3, 4)


WRONG = [
    (hypencoder, {"query": {"content": "q"}, "items": []}, '"items" is empty'),
    (hypencoder, {"query": {"content": " "}, "items": [{"content": "a"}]}, "the query is empty"),
    (hypencoder, {"query": "q", "items": [{"content": "a", "score": "good"}]}, "finite number"),
    (hypencoder, {"query": "q", "items": [{"content": "a", "id": 1.5}]}, "the id of a document"),
    (hypencoder, {"query": "q", "items": [{"text": "a"}]}, 'neither "content"'),
    (hypencoder, {"queries": "q"}, 'no "query"'),
    (columns, {"anchor": "q"}, "no positive column"),
    (columns, {"anchor": "q", "positive": None}, "'positive' is not text"),
    (columns, {"anchor": "q", "positive": "a", "label": [1, 2, 3]}, "3 numbers in 'label' for 1 texts"),
    (triples, ["q"], "has 1 fields"),
    (triples, ["q", ["a", "x"]], "finite number"),
    (triples, {"q": 1}, "no array"),
]


@pytest.mark.parametrize(("make", "line", "said"), WRONG)
def test_a_wrong_line_is_named(make, line, said, tmp_path):
    path = make(tmp_path)
    with path.open("a") as file:
        file.write("\n" + json.dumps(line) + "\n")
    with pytest.raises(CollectionError, match="line 5") as raised:
        open_training(path)
    assert said in str(raised.value)
    assert str(path) in str(raised.value)


def test_a_broken_line_and_a_cut_file_are_named(tmp_path):
    path = hypencoder(tmp_path)
    cut = tmp_path / "cut.jsonl.gz"
    cut.write_bytes(packed(path).read_bytes()[:-20])
    with pytest.raises(CollectionError, match=r"cut\.jsonl\.gz cannot be read"):
        SETS.build({"type": "hypencoder", "source": str(cut)})
    path.write_text(path.read_text()[:-30])
    with pytest.raises(CollectionError, match="line 3"):
        open_training(path)


def test_what_is_no_training_set_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(CollectionError, match="no training set that is understood"):
        open_training(tmp_path / "notes.txt")
    with pytest.raises(CollectionError, match="does not exist"):
        open_training(tmp_path / "nothing.jsonl")
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(CollectionError, match="no example"):
        SETS.build({"type": "columns", "source": str(tmp_path / "empty.jsonl")})


def test_fingerprints_follow_the_content(tmp_path):
    path = columns(tmp_path)
    first = open_training(path).fingerprint
    assert open_training(packed(path)).fingerprint == open_training(packed(path)).fingerprint
    assert open_training(path).fingerprint == first
    path.write_text(path.read_text().replace("lazy", "busy"))
    assert open_training(path).fingerprint != first


def test_a_set_can_be_sent_to_another_process(tmp_path):
    training_set = open_training(packed(columns(tmp_path)))
    training_set[0]
    records = pickle.loads(pickle.dumps(training_set._records))
    assert records[1] == training_set._records[1]


def test_temporary_files_go_away(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    training_set = open_training(packed(columns(tmp_path)))
    assert list((tmp_path / "tmp").iterdir())
    del training_set
    gc.collect()
    assert not list((tmp_path / "tmp").iterdir())
    (tmp_path / "wrong.jsonl.gz").write_bytes(gzip.compress(b'{"anchor": "q", "positive": "p"}\n{"anchor": 3}\n'))
    with pytest.raises(CollectionError):
        SETS.build({"type": "columns", "source": str(tmp_path / "wrong.jsonl.gz")})
    gc.collect()
    assert not list((tmp_path / "tmp").iterdir())


def test_little_is_held_in_memory(tmp_path):
    """Of 20 MB of texts less than a tenth stays."""
    import tracemalloc

    long = "word " * 2000
    lines = [{"query": f"query {i}", "items": [{"id": str(i), "content": f"{i} {long}"}]} for i in range(2000)]
    path = write_lines(Path(tmp_path, "big.jsonl"), lines)
    del lines
    tracemalloc.start()
    training_set = SETS.build({"type": "hypencoder", "source": str(path)})
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert path.stat().st_size > 20e6
    assert held < 2e6
    assert training_set.text("1234").startswith("1234 word")

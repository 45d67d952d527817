"""hyperir mine and hyperir teach."""

import json

import pytest
from running import here, lines
from teacher_models import write_cross_encoder
from tiny_models import make_model

from hyperir.search import Index

WORDS = ["quick brown fox", "lazy dog", "search engine", "documents for queries"]


@pytest.fixture(scope="module")
def beir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("training")
    lines(folder / "corpus.jsonl", [{"_id": f"d{i}", "text": f"the {words} over"} for i, words in enumerate(WORDS)])
    lines(folder / "queries.jsonl", [{"_id": f"q{i}", "text": f"{words} over the"} for i, words in enumerate(WORDS)])
    (folder / "qrels").mkdir()
    judged = [f"q{i}\td{i}\t1" for i in range(4)]
    (folder / "qrels" / "train.tsv").write_text("query-id\tcorpus-id\tscore\n" + "\n".join(judged) + "\n")
    make_model("dot").save_pretrained(folder / "model")
    write_cross_encoder(folder / "teacher")
    return folder


def test_mine_then_teach(beir, tmp_path):
    negatives, scores = tmp_path / "negatives.jsonl", tmp_path / "scores.jsonl"
    done = here("mine", beir, "-o", negatives, "--model", beir / "model", "--depth", 3, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"file": str(negatives), "queries": 4}
    mined = [json.loads(line) for line in negatives.read_text().splitlines()[1:]]
    assert all(f"d{line['query_id'][1:]}" not in line["negatives"] for line in mined)
    assert all(len(line["negatives"]) >= 2 for line in mined)

    teachers = ["--teacher", beir / "teacher", "--teacher", beir / "model", "--weight", 1, "--weight", 0.5]
    command = ["teach", beir, "-o", scores, "--split", "train", "--negatives", negatives, *teachers]
    done = here(*command)
    assert done.returncode == 0, done.stderr
    assert "4 examples" in done.stderr
    given = [json.loads(line)["scores"] for line in scores.read_text().splitlines()[1:]]
    assert [len(own) for own in given] == [1 + len(line["negatives"]) for line in mined]
    assert "0 examples" in here(*command).stderr


def test_mine_with_an_index_and_a_teacher(beir, tmp_path):
    done = here("index", beir, "-o", tmp_path / "my.index", "--model", beir / "model")
    assert done.returncode == 0, done.stderr
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    done = here("mine", beir, "-o", first, "--index", tmp_path / "my.index", "--depth", 4)
    assert done.returncode == 0, done.stderr
    done = here("mine", beir, "-o", second, "--model", beir / "model", "--depth", 4)
    assert first.read_text().splitlines()[1:] == second.read_text().splitlines()[1:]
    third = tmp_path / "third.jsonl"
    done = here("mine", beir, "-o", third, "--depth", 4, "--teacher", beir / "teacher", "--below", "-1000")
    assert done.returncode == 0, done.stderr
    assert all(json.loads(line)["negatives"] == [] for line in third.read_text().splitlines()[1:])


def test_a_large_index_is_mined_for_the_true_top(beir, tmp_path, monkeypatch):
    done = here("index", beir, "-o", tmp_path / "my.index", "--model", beir / "model")
    assert done.returncode == 0, done.stderr
    monkeypatch.setattr("hyperir.search.auto.CHEAP", 0)  # so that any index is one
    find, taken = Index.find, []

    def watched(index, *arguments, **options):
        hits = find(index, *arguments, **options)
        taken.append(index.strategy.type)
        return hits

    monkeypatch.setattr(Index, "find", watched)
    done = here("mine", beir, "-o", tmp_path / "mined.jsonl", "--index", tmp_path / "my.index", "--depth", 2)
    assert done.returncode == 0, done.stderr
    assert taken == ["exact"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["mine", "{beir}", "-o", "{tmp}/n.jsonl", "--split", "test"], "no split 'test'"),
        (["mine", "{beir}", "-o", "{tmp}/n.jsonl", "--below", "1"], "a threshold and a teacher go together"),
        (["mine", "{beir}", "-o", "{tmp}/n.jsonl", "--skip-top", "200"], "nothing would be mined"),
        (["teach", "{beir}", "-o", "{tmp}/s.jsonl"], "who teaches?"),
        (["teach", "{beir}", "-o", "{tmp}/s.jsonl", "--split", "train", "--teacher", "{tmp}/no"], "no"),
    ],
)
def test_wrong_wishes_are_refused(beir, tmp_path, arguments, said):
    done = here(*(argument.format(beir=beir, tmp=tmp_path) for argument in arguments))
    assert done.returncode == 2
    assert said in done.stderr
    assert not list(tmp_path.iterdir())

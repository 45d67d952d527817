import yaml
from tiny_models import HYPER, make_model

from hyperir.encode.card import model_card


def front_matter(card):
    _, front, body = card.split("---\n", 2)
    return yaml.safe_load(front), body


def test_a_card_says_what_the_model_is_and_how_to_use_it():
    model = make_model(HYPER, document={"prompt": "passage : "})
    front, body = front_matter(model_card(model.config(), name="me/fox", width=128))
    assert front["license"] == "apache-2.0"
    assert front["library_name"] == "hyperir"
    assert {"hyperir", "relevance-hyper", "untrained"} <= set(front["tags"])
    assert body.startswith("\n# fox\n")
    assert 'model = hyperir.load("me/fox")' in body
    assert "**Untrained.**" in body
    assert "seed 0" in body
    assert "| width of the documents' vectors | 128 |" in body
    assert "| documents: prompt | 'passage : ' |" in body
    assert yaml.safe_load(body.split("```yaml\n")[1].split("```")[0])["qnet"]["hidden"] == [16, 16]
    assert "## Training" not in body


def test_a_trained_model_has_no_notice_and_its_record():
    model = make_model(HYPER)
    model.trained = True
    record = {"base_model": "b", "datasets": ["d"], "steps": 100, "loss": "margin|mse", "measures": {"nDCG@10": 0.5}}
    front, body = front_matter(model_card(model.config(), width=128, training=record))
    assert "untrained" not in front["tags"]
    assert (front["base_model"], front["datasets"]) == ("b", ["d"])
    assert "Untrained" not in body
    assert 'hyperir.load("path/to/this/folder")' in body
    assert "| steps | 100 |" in body
    assert "margin\\|mse" in body
    assert "nDCG@10: 0.5" in body


def test_a_card_tells_no_local_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "cache").mkdir(parents=True)
    model = make_model(HYPER)
    record = {
        "base_model": "/home/me/models/minilm",
        "datasets": ["~/collections/squad", "C:\\mine\\tldr"],
        "recipe": {"run": {"cache": "runs/cache"}, "data": {"of": {"source": "../texts/a.jsonl"}}},
        "teacher": "cross-encoder/ms-marco-MiniLM-L-12-v2",
        "index": "s3://bucket/an.index",
    }
    front, body = front_matter(model_card(model.config(), width=128, training=record))
    assert (front["base_model"], front["datasets"]) == ("minilm", ["squad", "tldr"])
    assert all(name in body for name in ("cache: cache\n", "source: a.jsonl\n", record["teacher"], record["index"]))
    model.save_pretrained(tmp_path / "secret" / "fox")
    text = (tmp_path / "secret" / "fox" / "README.md").read_text()
    assert 'hyperir.load("fox")' in text
    assert "secret" not in text


def test_the_example_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path.parent)
    model = make_model(HYPER)
    model.save_pretrained(tmp_path)
    code = (tmp_path / "README.md").read_text().split("```python\n")[1].split("```")[0]
    names = {}
    code = code.replace("import hyperir\n", "import hyperir.encode\n").replace("hyperir.load", "hyperir.encode.load")
    exec(code, names)
    assert names["f"](names["docs"]).shape == (1, 2)

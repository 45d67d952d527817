"""Saved and loaded, a model scores the same; fingerprints; the hub."""

import inspect
import json
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_models import HYPER, TEXTS, make_backbone, make_model

import hyperir.encode
from hyperir.core.errors import ConfigError, ModelError
from hyperir.encode.model import Model


def scores(model):
    return model.encode_query(["fox", "the lazy dog"])(model.encode_document(TEXTS))


def learn(model):
    """As training would leave it: every weight of the relevance function moved."""
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in model.relevance.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    model.trained = True
    return model


@pytest.mark.parametrize("relevance", ["dot", "cosine", "l2", HYPER])
@pytest.mark.parametrize("query_seed", [None, 1])
def test_a_loaded_model_scores_exactly_as_the_saved_one(tmp_path, relevance, query_seed):
    model = make_model(relevance, query_seed=query_seed, document={"prompt": "passage : ", "max_length": 9})
    learn(model).save_pretrained(tmp_path / "a" / "model")
    again = Model.from_pretrained(tmp_path / "a" / "model")
    assert torch.equal(scores(again), scores(model))
    assert again.trained
    assert not again.training
    assert again.shared == (query_seed is None)
    assert again.fingerprint == model.fingerprint
    assert again.name == model.name == str((tmp_path / "a" / "model").resolve())
    assert again.config() == model.config()
    again.save_pretrained(tmp_path / "b")
    first, second = ((tmp_path / place / "config.json").read_bytes() for place in ("a/model", "b"))
    assert first == second


def test_the_folder(tmp_path, model):
    learn(model).save_pretrained(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
        "tokenizer.json",
    ]
    config = json.loads((tmp_path / "config.json").read_text())
    assert (config["format"], config["format_version"]) == ("hyperir-model", 1)
    assert config["relevance"]["qnet"]["hidden"] == [16, 16]
    assert "untrained" not in config
    assert {name.split(".")[0] for name in load_file(tmp_path / "model.safetensors")} == {"backbone", "relevance"}


def test_saving_over_the_folder_it_was_loaded_from(tmp_path, model):
    model.save_pretrained(tmp_path)
    again = learn(Model.from_pretrained(tmp_path))
    expected = scores(again)
    again.save_pretrained(tmp_path)
    assert torch.equal(scores(again), expected)
    assert torch.equal(scores(Model.from_pretrained(tmp_path)), expected)


def test_the_type_is_kept_and_can_be_asked_for(tmp_path, model):
    model.document.backbone.to(torch.bfloat16)
    model.save_pretrained(tmp_path)
    again = Model.from_pretrained(tmp_path)
    assert again.dtype == torch.bfloat16
    assert torch.equal(scores(again), scores(model))
    assert next(again.relevance.parameters()).dtype == torch.float32
    assert Model.from_pretrained(tmp_path, dtype="float32").dtype == torch.float32
    assert Model.from_pretrained(tmp_path, dtype=torch.float16).dtype == torch.float16
    with pytest.raises(ModelError, match=r"cannot have this type(.|\n)*got: int8"):
        Model.from_pretrained(tmp_path, dtype="int8")


def test_an_untrained_model_says_so_until_it_is_trained(tmp_path, model):
    assert not model.trained
    model.save_pretrained(tmp_path)
    assert not Model.from_pretrained(tmp_path).trained
    learn(model).save_pretrained(tmp_path)
    assert Model.from_pretrained(tmp_path).trained
    assert make_model("dot").trained, "what has no weights needs no training"


def without_relevance(folder):
    weights = load_file(folder / "model.safetensors")
    save_file({k: v for k, v in weights.items() if not k.startswith("relevance")}, folder / "model.safetensors")


def test_missing_relevance_weights_are_drawn_with_the_seed_if_untrained(tmp_path, model):
    model.save_pretrained(tmp_path)
    without_relevance(tmp_path)
    before = torch.random.get_rng_state()
    again = Model.from_pretrained(tmp_path)
    assert torch.equal(torch.random.get_rng_state(), before), "the caller's random numbers are not touched"
    assert torch.equal(scores(again), scores(model))
    assert not again.trained


def test_missing_relevance_weights_are_refused_if_trained(tmp_path, model):
    learn(model).save_pretrained(tmp_path)
    without_relevance(tmp_path)
    with pytest.raises(ModelError, match=r"relevance function's weights .* do not fit"):
        Model.from_pretrained(tmp_path)


@pytest.mark.parametrize("file", ["model.safetensors", "tokenizer.json", "config.json"])
@pytest.mark.parametrize("damage", ["missing", "cut", "other"])
def test_damaged_folders_are_refused_by_name(tmp_path, model, file, damage):
    learn(model).save_pretrained(tmp_path)
    path = tmp_path / file
    content = path.read_bytes()
    path.unlink()
    if damage != "missing":
        path.write_bytes(content[: len(content) // 2] if damage == "cut" else b'{"x": 1}')
    with pytest.raises((ModelError, ConfigError)) as error:
        Model.from_pretrained(tmp_path)
    assert str(tmp_path) in str(error.value)


def edit(folder, **values):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | values))


def test_configurations_are_strict(tmp_path, model):
    model.save_pretrained(tmp_path)
    edit(tmp_path, documents={})
    with pytest.raises(ConfigError, match=r"unknown key 'documents' in .*config.json(.|\n)*did you mean 'document'"):
        Model.from_pretrained(tmp_path)
    model.save_pretrained(tmp_path)
    edit(tmp_path, format_version=2)
    with pytest.raises(ModelError, match=r"written by a newer HyperIR(.|\n)*pip install --upgrade"):
        Model.from_pretrained(tmp_path)
    edit(tmp_path, format="other")
    with pytest.raises(ModelError, match="no known format"):
        Model.from_pretrained(tmp_path)
    model.save_pretrained(tmp_path)
    edit(tmp_path, backbone={"dtype": "float32"})
    with pytest.raises(ConfigError, match="either an id or the config"):
        Model.from_pretrained(tmp_path)


# By reference.


def test_without_backbone_only_the_relevance_function_is_saved(tmp_path, bert_folder):
    reference = hyperir.encode.load(bert_folder)
    model = learn(Model(reference.document, reference.query, HYPER))
    model.save_pretrained(tmp_path / "small", with_backbone=False)
    assert {name.split(".")[0] for name in load_file(tmp_path / "small" / "model.safetensors")} == {"relevance"}
    assert not (tmp_path / "small" / "tokenizer.json").exists()
    again = Model.from_pretrained(tmp_path / "small")
    assert torch.equal(scores(again), scores(model))
    assert again.fingerprint == reference.fingerprint


def test_another_backbone_under_the_same_name_is_refused(tmp_path, bert_folder):
    reference = hyperir.encode.load(bert_folder)
    Model(reference.document, reference.query, HYPER).save_pretrained(tmp_path / "small", with_backbone=False)
    make_model(seed=5).document.backbone.transformer.save_pretrained(bert_folder)
    with pytest.raises(ModelError, match="is not the one that the model"):
        Model.from_pretrained(tmp_path / "small")


def test_a_backbone_that_its_name_does_not_give_is_not_referred_to(tmp_path, bert_folder, model):
    with pytest.raises(ModelError, match=r"has no name to refer to(.|\n)*with_backbone=True"):
        model.save_pretrained(tmp_path / "small", with_backbone=False)
    tuned = hyperir.encode.load(bert_folder)
    with torch.no_grad():
        next(tuned.document.backbone.parameters()).add_(1)
    with pytest.raises(ModelError, match=r"has changed since it was loaded(.|\n)*with_backbone=True"):
        tuned.save_pretrained(tmp_path / "small", with_backbone=False)
    assert not (tmp_path / "small").exists()


# Fingerprints.


def test_fingerprints_follow_the_documents_side_and_nothing_else():
    same = make_model("dot").fingerprint
    assert make_model(HYPER).fingerprint == same
    assert make_model("dot", query={"prompt": "query : ", "max_length": 5}).fingerprint == same
    assert make_model("dot", query_seed=3).fingerprint == same
    others = [
        make_model("dot", seed=1),
        make_model("dot", document={"prompt": "passage : "}),
        make_model("dot", document={"max_length": 63}),
        make_model("dot", document={"normalize": False}),
        make_model("dot", document={"pool": "cls"}),
    ]
    assert len({same, *(model.fingerprint for model in others)}) == 6


def test_a_fingerprint_follows_the_weights(model):
    first, backbone = model.fingerprint, model.document.backbone
    assert model.fingerprint == first
    with torch.no_grad():
        next(backbone.parameters())[0, 0] += 1e-3
    second = model.fingerprint
    optimizer = torch.optim.AdamW(backbone.parameters(), lr=1e-3)
    model.states(TEXTS, "document").tokens.sum().backward()
    optimizer.step()
    third = model.fingerprint
    backbone.load_state_dict(make_backbone().state_dict())
    assert model.fingerprint == first
    backbone.to(torch.bfloat16)
    assert len({first, second, third, model.fingerprint}) == 4


def test_a_fingerprint_follows_what_the_weights_do_not_tell():
    one, other = make_backbone(), make_backbone()
    other.transformer.config.num_attention_heads = 1
    assert one.fingerprint != other.fingerprint
    other.transformer.config.num_attention_heads = one.transformer.config.num_attention_heads
    other.transformer.config.transformers_version = "99"
    other._fingerprint = (None, "")
    assert one.fingerprint == other.fingerprint


# The hub.


def test_push_to_hub(tmp_path, model, monkeypatch):
    calls = []

    class Api:
        def __init__(self, **kwargs):
            calls.append(("api", kwargs))

        def create_repo(self, repo_id, **kwargs):
            calls.append(("create", repo_id, kwargs))

        def upload_folder(self, **kwargs):
            from pathlib import Path

            folder = Path(kwargs["folder_path"])
            (tmp_path / "hub").mkdir()
            for file in folder.iterdir():
                (tmp_path / "hub" / file.name).write_bytes(file.read_bytes())
            calls.append(("upload", kwargs))
            return SimpleNamespace(commit_url="https://hub/commit/1")

    monkeypatch.setattr("huggingface_hub.HfApi", Api)
    url = learn(model).push_to_hub("me/fox", private=True, token="secret", revision="v1", commit_message="Fox")
    assert url == "https://hub/commit/1"
    assert model.name == "me/fox"
    assert [call[0] for call in calls] == ["api", "create", "upload"]
    assert calls[0][1]["token"] == "secret"
    assert calls[1][1:] == ("me/fox", {"private": True, "repo_type": "model", "exist_ok": True})
    uploaded = calls[2][1]
    assert (uploaded["repo_id"], uploaded["revision"], uploaded["commit_message"]) == ("me/fox", "v1", "Fox")
    assert torch.equal(scores(Model.from_pretrained(tmp_path / "hub")), scores(model))
    assert 'hyperir.load("me/fox")' in (tmp_path / "hub" / "README.md").read_text()


def test_from_pretrained_takes_what_load_takes_where_that_is_a_network():
    assert Model.from_pretrained is hyperir.encode.load_network
    taken = (inspect.signature(each).parameters for each in (hyperir.encode.load_network, hyperir.load))
    assert len({tuple(parameters.items()) for parameters in taken}) == 1
    with pytest.raises(ModelError, match="no network"):
        Model.from_pretrained("bm25")

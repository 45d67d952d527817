"""A tuned backbone stored as what differs from the model that it came from."""

import copy

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_models import HYPER, TEXTS

import hyperir.encode
from hyperir.core.errors import ModelError
from hyperir.encode.model import Model
from hyperir.encode.text_encoder import TextEncoder


def scores(model):
    return model.encode_query(["fox", "the lazy dog"])(model.encode_document(TEXTS))


@pytest.fixture
def tuned(bert_folder):
    """The queries' last layer changed by numbers that float16 holds exactly; documents as they were."""
    start = hyperir.encode.load(bert_folder)
    query = TextEncoder(copy.deepcopy(start.query.backbone), start.query.config)
    with torch.no_grad():
        for parameter in query.backbone.transformer.encoder.layer[-1].parameters():
            parameter.copy_((parameter + 0.1).half())
        model = Model(start.document, query, HYPER)
        for parameter in model.relevance.parameters():
            parameter.copy_(parameter.half())
    model.trained = True
    return model


def test_only_what_changed_is_stored_and_loaded_again(tmp_path, tuned):
    tuned.save_pretrained(tmp_path, with_backbone="difference", dtype=torch.float16)
    stored = load_file(tmp_path / "model.safetensors")
    encoder = [name for name in stored if name.startswith("query_backbone.")]
    assert encoder
    assert all(".layer.1." in name for name in encoder)
    assert not any(name.startswith("backbone.") for name in stored)
    assert {value.dtype for value in stored.values()} == {torch.float16}
    assert not (tmp_path / "query_tokenizer.json").exists()
    again = Model.from_pretrained(tmp_path)
    assert again.query.backbone.dtype == torch.float32
    assert torch.equal(scores(again), scores(tuned))


def test_the_documents_side_stays_the_start_and_the_queries_side_does_not(tmp_path, bert_folder, tuned):
    tuned.save_pretrained(tmp_path, with_backbone="difference")
    again, start = Model.from_pretrained(tmp_path), hyperir.encode.load(bert_folder)
    assert again.fingerprint == start.fingerprint
    assert again.query.backbone.fingerprint != start.query.backbone.fingerprint
    again.save_pretrained(tmp_path / "whole")  # and it can be saved whole
    assert torch.equal(scores(Model.from_pretrained(tmp_path / "whole")), scores(tuned))


@pytest.mark.parametrize("damage", ["unknown", "shape", "none"])
def test_changed_weights_that_do_not_fit_are_refused(tmp_path, tuned, damage):
    tuned.save_pretrained(tmp_path, with_backbone="difference")
    stored = load_file(tmp_path / "model.safetensors")
    first = next(name for name in stored if name.startswith("query_backbone."))
    if damage == "unknown":
        stored["query_backbone.nonsense"] = stored.pop(first)
    elif damage == "shape":
        stored[first] = torch.zeros(1, 1, 1)
    else:
        stored = {name: value for name, value in stored.items() if not name.startswith("query_backbone.")}
    save_file(stored, tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match="changed weights"):
        Model.from_pretrained(tmp_path)

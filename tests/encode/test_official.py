"""Checkpoints in the authors' format give the scores of their equations.

Two bars. Everything after the transformer, in float64: equal to 1e-9, so nothing is mapped wrongly. The whole model as
users run it, in float32: equal to 1e-4 of the largest score. An absolute 1e-4 is not even kept by the equations
themselves: `test_the_equations_do_not_keep_an_absolute_bar_with_themselves`.
"""

import copy
import json
import shutil

import pytest
import torch
from reference_hypencoder import document_vectors, hidden_states, make_checkpoint, scores
from tiny_models import make_bert, make_distilbert, make_tokenizer, write_tokenizer

import hyperir.encode
from hyperir.core.docs import Dense, States
from hyperir.core.errors import ConfigError, ModelError

QUERIES = ["the quick fox", "dog", "search engine ranks documents for queries"]
PASSAGES = ["the lazy dog jumps", "a", "the engine ranks the fox over the dog", "quick brown fox"]


def ids(texts):
    return [make_tokenizer().encode(text).ids for text in texts]


def check(folder, checkpoint, **options):
    model = hyperir.encode.load(folder, **options)
    f, docs = model.encode_query(QUERIES), model.encode_document(PASSAGES)
    expected = scores(*checkpoint, ids(QUERIES), ids(PASSAGES))
    assert expected.std() > 0.05, "a check of scores that do not differ would be none"
    torch.testing.assert_close(f(docs).double(), expected, rtol=0, atol=1e-4 * float(expected.abs().max()))
    config, _, query_transformer, passage_transformer = checkpoint
    tokens, mask = hidden_states(query_transformer, ids(QUERIES))
    docs = Dense(document_vectors(passage_transformer, ids(PASSAGES), config["passage_encoder_kwargs"]["pooling_type"]))
    with torch.no_grad():
        exact = copy.deepcopy(model.relevance).double()(States(tokens, mask.bool(), tokens[:, 0]))(docs)
    torch.testing.assert_close(exact, expected, rtol=1e-9, atol=1e-9)
    return model


# Equal widths, so that residuals can be added; the authors' code demands it.
@pytest.mark.parametrize("layers", [2, 4, 6, 8])
def test_every_published_depth(tmp_path, layers):
    model = check(tmp_path, make_checkpoint(tmp_path, hidden=(128,) * layers, seed=layers))
    assert model.trained
    assert (model.query.config.max_length, model.document.config.max_length) == (32, 64)


def test_the_equations_do_not_keep_an_absolute_bar_with_themselves(tmp_path):
    """Texts in one batch or one at a time: the same score but for float32 rounding in the transformer."""
    moved = []
    for seed in (5, 6, 7):  # how much differs by processor
        (tmp_path / str(seed)).mkdir()
        checkpoint = make_checkpoint(tmp_path / str(seed), hidden=(128,) * 6, seed=seed)
        together = scores(*checkpoint, ids(QUERIES), ids(PASSAGES))
        alone = torch.cat([torch.cat([scores(*checkpoint, ids([q]), ids([p])) for p in PASSAGES], 1) for q in QUERIES])
        moved.append(float((together - alone).abs().max()))
        assert moved[-1] < 1e-3 * float(together.abs().max()), "rounding, no more"
    assert max(moved) > 1e-4


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "gelu", "leaky_relu"])
def test_every_activation(tmp_path, activation):
    converter = {"activation_type": activation, "do_residual": False}
    check(tmp_path, make_checkpoint(tmp_path, hidden=(24, 16), **converter))


@pytest.mark.parametrize("norm", [True, False])
@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize(("residual", "on_last"), [(True, False), (True, True), (True, None), (False, False)])
def test_every_order_of_norm_and_residual(tmp_path, norm, before, residual, on_last):
    converter = {
        "do_layer_norm": norm,
        "layer_norm_before_residual": before,
        "do_residual": residual,
        "do_residual_on_last": on_last,
    }
    check(tmp_path, make_checkpoint(tmp_path, hidden=(128, 128), **converter))


def test_no_hidden_layer_is_an_inner_product(tmp_path):
    model = check(tmp_path, make_checkpoint(tmp_path, hidden=()))
    assert model.encode_query(QUERIES).weights.shape == (3, 128)


@pytest.mark.parametrize("tied_keys", ["absent", "present", "only passage"])
def test_tied_encoders(tmp_path, tied_keys):
    model = check(tmp_path, make_checkpoint(tmp_path, hidden=(24,), do_residual=False, tied_keys=tied_keys))
    assert model.shared


def test_separate_encoders(tmp_path):
    model = check(tmp_path, make_checkpoint(tmp_path, hidden=(24,), do_residual=False, shared=False))
    assert not model.shared


def test_mean_pooling_is_the_unmasked_one(tmp_path):
    model = check(tmp_path, make_checkpoint(tmp_path, hidden=(24,), do_residual=False, pooling="mean"))
    assert model.document.config.pool == "mean_unmasked"


def test_distilbert(tmp_path):
    made = make_checkpoint(tmp_path, hidden=(24,), do_residual=False, make_transformer=make_distilbert)
    check(tmp_path, made)


def test_pickles_are_refused_unless_asked_for(tmp_path):
    made = make_checkpoint(tmp_path, hidden=(24,), do_residual=False, pickle=True)
    with pytest.raises(ModelError, match=r"a pickle, which is refused(.|\n)*allow_pickle=True"):
        hyperir.encode.load(tmp_path)
    check(tmp_path, made, allow_pickle=True)


def test_a_malicious_pickle_runs_nothing(tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "executed"), "w"))

    make_checkpoint(tmp_path, hidden=(24,), pickle=True)
    torch.save({"query_encoder.transformer.x": Evil()}, tmp_path / "pytorch_model.bin")
    with pytest.raises(ModelError, match="cannot read the weights"):
        hyperir.encode.load(tmp_path, allow_pickle=True)
    assert not (tmp_path / "executed").exists()


def test_safetensors_are_preferred(tmp_path):
    made = make_checkpoint(tmp_path, hidden=(24,), do_residual=False)
    (tmp_path / "pytorch_model.bin").write_bytes(b"not even a pickle")
    check(tmp_path, made)
    check(tmp_path, made, allow_pickle=True)


def wide(seed=0):
    """A width that no published BERT has with these heads."""
    return make_bert(seed, heads=4)


def test_the_base_models_local_folder_tells_the_architecture(tmp_path):
    wide().save_pretrained(tmp_path / "base")
    write_tokenizer(tmp_path / "base")
    made = make_checkpoint(
        tmp_path / "checkpoint",
        hidden=(24,),
        do_residual=False,
        base=str(tmp_path / "base"),
        make_transformer=wide,
        tokenizer=False,
    )
    check(tmp_path / "checkpoint", made)


def test_a_missing_tokenizer_is_looked_for_in_the_base_model(tmp_path):
    make_checkpoint(tmp_path, hidden=(24,), tokenizer=False, base="bert-base-uncased")
    with pytest.raises(ModelError, match=r"lacks a tokenizer and its base model 'bert-base-uncased'"):
        hyperir.encode.load(tmp_path, local_files_only=True, cache_dir=tmp_path / "cache")
    make_checkpoint(tmp_path, hidden=(24,), tokenizer=False)
    with pytest.raises(ModelError, match="names no base model"):
        hyperir.encode.load(tmp_path)


def change(folder, **values):
    config = json.loads((folder / "config.json").read_text())
    for key, value in values.items():
        config["query_encoder_kwargs"]["converter_kwargs"][key] = value
    (folder / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"vector_dimensions": [64, 24, 1]}, "vector_dimensions from 128"),
        ({"vector_dimensions": [128, 24, 2]}, "from 128, the documents' width, to 1"),
        ({"vector_dimensions": [128, 25, 1]}, "hyper-head of .* does not fit"),
        ({"vector_dimensions": [128, 24, 24, 1]}, "hyper-head of .* does not fit"),
        ({"activation_type": "swish"}, "activation_type"),
        ({"do_batch_norm": True}, "unknown key"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, values, message):
    make_checkpoint(tmp_path, hidden=(24,))
    change(tmp_path, **values)
    with pytest.raises((ModelError, ConfigError), match=message):
        hyperir.encode.load(tmp_path)


def test_two_encoders_that_claim_to_be_one_are_refused(tmp_path):
    from safetensors.torch import load_file, save_file

    make_checkpoint(tmp_path, hidden=(24,), tied_keys="present")
    state = load_file(tmp_path / "model.safetensors")
    name = "passage_encoder.transformer.encoder.layer.0.output.dense.bias"
    save_file(state | {name: state[name] + 1}, tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match="two different ones"):
        hyperir.encode.load(tmp_path)


def test_missing_weights_are_refused(tmp_path):
    from safetensors.torch import load_file, save_file

    make_checkpoint(tmp_path, hidden=(24,))
    state = load_file(tmp_path / "model.safetensors")
    state.pop("query_encoder.transformer.encoder.layer.0.output.dense.bias")
    save_file(state, tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match="do not fit its configuration"):
        hyperir.encode.load(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(ModelError, match="cannot read the weights"):
        hyperir.encode.load(tmp_path)


@pytest.mark.parametrize("shared", [True, False])
def test_it_is_saved_as_one_of_ours(tmp_path, shared):
    make_checkpoint(tmp_path / "theirs", hidden=(24, 24), do_residual=False, shared=shared, pooling="mean")
    model = hyperir.encode.load(tmp_path / "theirs")
    model.save_pretrained(tmp_path / "ours")
    shutil.rmtree(tmp_path / "theirs")
    again = hyperir.encode.load(tmp_path / "ours")
    assert again.fingerprint == model.fingerprint
    expected = model.encode_query(QUERIES)(model.encode_document(PASSAGES))
    assert torch.equal(again.encode_query(QUERIES)(again.encode_document(PASSAGES)), expected)

"""Vectors cut to their first numbers: by an argument, by name, and in an index that finds its model again."""

import pytest
import torch
from tiny_models import HYPER, TEXTS, make_model, write_json

import hyperir
from hyperir.core.errors import ConfigError, InputError, ModelError
from hyperir.encode.config import TextEncoderConfig
from hyperir.encode.truncate import split_name, truncated


@pytest.mark.parametrize("normalize", [False, True])
def test_vectors_are_cut_and_get_length_1_where_the_models_do(tmp_path, normalize):
    make_model("dot", document={"normalize": normalize}, query={"normalize": normalize}).save_pretrained(tmp_path)
    whole, cut = hyperir.load(tmp_path), hyperir.load(tmp_path, truncate=48)
    vectors = whole.encode_document(TEXTS).vectors[:, :48]
    expected = torch.nn.functional.normalize(vectors, dim=-1) if normalize else vectors
    torch.testing.assert_close(cut.encode_document(TEXTS).vectors, expected)
    torch.testing.assert_close(cut.encode_query(TEXTS).weights, expected)
    assert cut.width == 48


def test_the_cut_is_part_of_the_fingerprint_and_of_what_is_saved(tmp_path):
    make_model("dot").save_pretrained(tmp_path / "model")
    whole = hyperir.load(tmp_path / "model")
    cut = hyperir.load(f"{tmp_path / 'model'}[:48]")
    assert cut.name == f"{tmp_path / 'model'}[:48]"
    assert len({whole.fingerprint, cut.fingerprint, truncated(whole, 47).fingerprint}) == 3
    assert truncated(cut, 40).fingerprint == truncated(whole, 40).fingerprint
    cut.save_pretrained(tmp_path / "cut")
    again = hyperir.load(tmp_path / "cut")
    assert (again.width, again.fingerprint) == (48, cut.fingerprint)


def test_an_index_finds_its_model_again(tmp_path):
    make_model("dot").save_pretrained(tmp_path / "model")
    rows = [{"id": str(i), "text": text} for i, text in enumerate(TEXTS) if text]
    index = hyperir.Index.create(tmp_path / "my.index", hyperir.load(tmp_path / "model", truncate=48))
    index.add(rows, show_progress=False)
    hits = hyperir.Index.open(tmp_path / "my.index").search(["the quick brown fox"], 1)
    assert hits[0][0].id == "0"
    assert hyperir.Index.open(tmp_path / "my.index").info()["width"] == 48


def test_names():
    assert split_name("all-MiniLM-L6-v2") == ("all-MiniLM-L6-v2", None)
    assert split_name("all-MiniLM-L6-v2[:64]") == ("all-MiniLM-L6-v2", 64)
    assert split_name("model[64]") == ("model[64]", None)


def test_a_folder_may_be_called_so(tmp_path):
    make_model("dot").save_pretrained(tmp_path / "model[:48]")
    assert hyperir.load(tmp_path / "model[:48]").width == 128


@pytest.mark.parametrize("width", [0, 129])
def test_what_is_not_there_cannot_be_cut_off(width):
    with pytest.raises(InputError, match=rf"1 to 128\n.*{width}"):
        truncated(make_model("dot"), width)


def test_what_was_learned_for_the_whole_width_is_not_cut():
    with pytest.raises(InputError, match="relevance 'hyper'"):
        truncated(make_model(HYPER), 48)
    projected = make_model("dot", document={"project": 64}, query={"project": 64})
    with pytest.raises(InputError, match="a projection"):
        truncated(projected, 48)


def test_a_folder_of_sentence_transformers_may_ask_for_it(st_folder):
    write_json(st_folder / "config_sentence_transformers.json", {"truncate_dim": 48})
    assert hyperir.load(st_folder).width == 48
    write_json(st_folder / "config_sentence_transformers.json", {"truncate_dim": "48"})
    with pytest.raises(ModelError, match="truncate_dim"):
        hyperir.load(st_folder)
    write_json(st_folder / "config_sentence_transformers.json", {"truncate_dim": 200})
    with pytest.raises(InputError, match="truncate = 128 at most"):
        hyperir.load(st_folder)


def test_configurations_that_cut_nothing():
    with pytest.raises(ConfigError, match="truncate"):
        TextEncoderConfig.parse({"truncate": 0})
    with pytest.raises(ConfigError, match="vectors are cut where a text has one"):
        TextEncoderConfig.parse({"truncate": 8, "tokens": {}})

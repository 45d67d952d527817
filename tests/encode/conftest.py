"""Fixtures: tiny models and their folders, and no network for any of these tests."""

import socket

import pytest
from tiny_models import HYPER, make_bert, make_model, write_json, write_tokenizer


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError(f"a network call: {args}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def model():
    return make_model(HYPER)


@pytest.fixture
def bert_folder(tmp_path):
    """A plain transformers folder."""
    folder = tmp_path / "bert"
    make_bert().save_pretrained(folder)
    write_tokenizer(folder)
    return folder


@pytest.fixture
def st_folder(bert_folder):
    """A sentence-transformers folder, as versions before 6 wrote it."""
    write_json(
        bert_folder / "modules.json",
        [
            {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
            {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
        ],
    )
    write_json(
        bert_folder / "1_Pooling" / "config.json",
        {"word_embedding_dimension": 128, "pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False},
    )
    write_json(bert_folder / "sentence_bert_config.json", {"max_seq_length": 12, "do_lower_case": False})
    write_json(
        bert_folder / "config_sentence_transformers.json",
        {"prompts": {"query": "query : ", "passage": "passage : "}, "similarity_fn_name": "cosine"},
    )
    return bert_folder

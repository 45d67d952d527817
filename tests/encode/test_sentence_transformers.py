"""Bi-encoders against sentence-transformers on the same random weights: poolings, side by side, and cut vectors."""

import pytest
import torch
from tiny_models import TEXTS, write_json

import hyperir

SINGLE = ["cls", "mean", "max", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"]
SETTINGS = {"prompts": {"query": "query : ", "document": "passage : "}, "similarity_fn_name": "dot"}
KINDS = {"base.modules.transformer.Transformer": "", "sentence_transformer.modules.pooling.Pooling": "1_Pooling"}
NORMALIZE = {"sentence_transformer.modules.normalize.Normalize": "2_Normalize"}


def folder_of(st_folder, pool, normalize):
    kinds = KINDS | (NORMALIZE if normalize else {})
    modules = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.{kind}"}
        for i, (kind, path) in enumerate(kinds.items())
    ]
    write_json(st_folder / "modules.json", modules)
    write_json(st_folder / "1_Pooling" / "config.json", {"embedding_dimension": 128, "pooling_mode": pool})
    (st_folder / "2_Normalize").mkdir()
    write_json(st_folder / "config_sentence_transformers.json", SETTINGS)
    return st_folder


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("pool", [*SINGLE, ["mean", "max"], ["cls", "lasttoken", "weightedmean"]], ids=str)
@pytest.mark.parametrize("truncate", [None, 48])
def test_vectors_are_theirs(st_folder, pool, normalize, truncate):
    theirs = pytest.importorskip("sentence_transformers", reason="sentence-transformers is not installed")
    folder = folder_of(st_folder, pool, normalize)
    reference = theirs.SentenceTransformer(str(folder), device="cpu", local_files_only=True, truncate_dim=truncate)
    ours = hyperir.load(folder, truncate=truncate)
    # They cut vectors after giving them length 1, and do that again where they are asked to.
    options = {"normalize_embeddings": normalize, "convert_to_tensor": True, "show_progress_bar": False}
    expected = reference.encode_document(TEXTS, batch_size=3, **options)
    found = ours.encode_document(TEXTS, batch_size=3).vectors
    assert found.shape[1] == (truncate or 128 * (1 if isinstance(pool, str) else len(pool)))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    expected = reference.encode_query(TEXTS, batch_size=3, **options)
    torch.testing.assert_close(ours.encode_query(TEXTS).weights, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("flags", [["cls_token", "max_tokens", "mean_tokens"], ["lasttoken"], ["weightedmean_tokens"]])
def test_flags_of_older_versions_are_read(st_folder, flags):
    theirs = pytest.importorskip("sentence_transformers", reason="sentence-transformers is not installed")
    folder = folder_of(st_folder, "mean", False)
    values = {f"pooling_mode_{flag}": True for flag in flags} | {"word_embedding_dimension": 128}
    write_json(folder / "1_Pooling" / "config.json", values)
    reference = theirs.SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    expected = reference.encode_document(TEXTS, convert_to_tensor=True, show_progress_bar=False)
    torch.testing.assert_close(hyperir.load(folder).encode_document(TEXTS).vectors, expected, atol=1e-5, rtol=1e-5)


def test_a_model_of_poolings_side_by_side_is_saved_and_searched(st_folder, tmp_path):
    model = hyperir.load(folder_of(st_folder, ["mean", "max"], True))
    model.save_pretrained(tmp_path / "saved")
    again = hyperir.load(tmp_path / "saved")
    assert again.fingerprint == model.fingerprint
    torch.testing.assert_close(again.encode_document(TEXTS).vectors, model.encode_document(TEXTS).vectors)
    index = hyperir.Index.create(tmp_path / "my.index", again)
    index.add([{"id": str(i), "text": text} for i, text in enumerate(TEXTS)], show_progress=False)
    assert index.search(["fox fox fox"], 1)[0][0].id

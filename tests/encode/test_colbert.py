"""ColBERT folders of PyLate and of Stanford's code against their embeddings written out, one text at a time."""

import json
import string

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_models import VOCABULARY, make_backbone, make_bert, write_json
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

import hyperir
from hyperir.core.docs import Multi
from hyperir.core.errors import InputError, ModelError
from hyperir.encode.colbert import colbert
from hyperir.encode.config import TextEncoderConfig
from hyperir.encode.model import Model
from hyperir.encode.text_encoder import TextEncoder

WORDS = {
    **VOCABULARY,
    **{t: len(VOCABULARY) + i for i, t in enumerate([*",.!", "[unused0]", "[unused1]", "[Q] ", "[D] "])},
}
CLS, SEP, MASK = (WORDS[token] for token in ("[CLS]", "[SEP]", "[MASK]"))
DOCUMENTS = ["The quick, brown fox!", "a", "", "search engine ranks documents for queries " * 5, "!", "fox. dog, fox."]
QUERIES = ["the quick fox", "", "which search engine ranks documents for queries over the lazy dog", "fox, dog [MASK]"]
WIDTH, QUERY_LENGTH, DOCUMENT_LENGTH = 24, 9, 20


def tokenizer():
    made = Tokenizer(models.WordLevel(WORDS, unk_token="[UNK]"))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Split(r",", "isolated"), pre_tokenizers.Punctuation()]
    )
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", CLS), ("[SEP]", SEP)]
    )
    made.add_special_tokens(["[PAD]", "[CLS]", "[SEP]", "[MASK]"])
    return made


def bert():
    made = make_bert()
    made.resize_token_embeddings(len(WORDS))
    return made.eval()


def linear():
    return torch.randn(WIDTH, 128, generator=torch.Generator().manual_seed(3))


def write_transformer(folder):
    model = bert()
    model.save_pretrained(folder)
    tokenizer().save(str(folder / "tokenizer.json"))
    write_json(
        folder / "tokenizer_config.json",
        {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "[PAD]", "mask_token": "[MASK]"},
    )
    return model


@pytest.fixture
def pylate(tmp_path):
    folder = tmp_path / "pylate"
    write_transformer(folder)
    kinds = [("", "sentence_transformers.models.Transformer"), ("1_Dense", "pylate.models.Dense.Dense")]
    write_json(
        folder / "modules.json", [{"idx": i, "name": str(i), "path": p, "type": t} for i, (p, t) in enumerate(kinds)]
    )
    write_json(
        folder / "1_Dense" / "config.json",
        {
            "in_features": 128,
            "out_features": WIDTH,
            "bias": False,
            "activation_function": "torch.nn.modules.linear.Identity",
        },
    )
    save_file({"linear.weight": linear()}, folder / "1_Dense" / "model.safetensors")
    write_json(
        folder / "config_sentence_transformers.json",
        {
            "query_prefix": "[Q] ",
            "document_prefix": "[D] ",
            "query_length": QUERY_LENGTH,
            "document_length": DOCUMENT_LENGTH,
            "attend_to_expansion_tokens": False,
            "do_query_expansion": True,
            "skiplist_words": list(string.punctuation),
            "similarity_fn_name": "MaxSim",
        },
    )
    return folder


@pytest.fixture
def stanford(tmp_path):
    folder = tmp_path / "stanford"
    write_transformer(folder)
    weights = {f"bert.{name}": value for name, value in load_file(folder / "model.safetensors").items()}
    save_file({**weights, "linear.weight": linear()}, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    write_json(folder / "config.json", {**config, "architectures": ["HF_ColBERT"]})
    write_json(
        folder / "artifact.metadata",
        {
            "query_token_id": "[unused0]",
            "doc_token_id": "[unused1]",
            "query_maxlen": QUERY_LENGTH,
            "doc_maxlen": DOCUMENT_LENGTH,
            "mask_punctuation": True,
            "attend_to_mask_tokens": False,
            "similarity": "cosine",
            "dim": WIDTH,
        },
    )
    return folder


def written_out(text, marker, length, *, query, attend=False):
    """One text by itself: ids with the marker, filled up where it is a query, each token projected to length 1."""
    words = tokenizer().encode(text, add_special_tokens=False).ids[: length - 3]
    ids = [CLS, WORDS[marker], *words, SEP]
    attention = [1] * len(ids)
    if query:
        attention += [int(attend)] * (length - len(ids))
        ids += [MASK] * (length - len(ids))
    with torch.no_grad():
        states = bert()(input_ids=torch.tensor([ids]), attention_mask=torch.tensor([attention])).last_hidden_state[0]
    vectors = [state / state.norm() for state in states @ linear().T]
    skipped = set() if query else {WORDS[mark] for mark in ",.!"}
    return torch.stack([vector for id_, vector in zip(ids, vectors, strict=True) if id_ not in skipped])


def check(model, markers, attend=False):
    docs = model.encode_document(DOCUMENTS, batch_size=3)
    assert isinstance(docs, Multi)
    expected = Multi.of_list([written_out(t, markers[1], DOCUMENT_LENGTH, query=False) for t in DOCUMENTS])
    assert torch.equal(docs.indptr, expected.indptr)
    torch.testing.assert_close(docs.vectors, expected.vectors, rtol=1e-4, atol=1e-5)
    asked = [written_out(t, markers[0], QUERY_LENGTH, query=True, attend=attend) for t in QUERIES]
    f = model.encode_query(QUERIES)
    scores = [
        [float((q @ expected[d : d + 1].vectors.T).max(1).values.sum()) for d in range(len(DOCUMENTS))] for q in asked
    ]
    torch.testing.assert_close(f(docs), torch.tensor(scores), rtol=1e-4, atol=1e-4)


def test_a_pylate_folder_gives_its_embeddings(pylate):
    check(hyperir.load(pylate), ("[Q] ", "[D] "))


def test_a_pylate_folder_may_attend_to_what_fills_up(pylate):
    place = pylate / "config_sentence_transformers.json"
    write_json(place, {**json.loads(place.read_text()), "attend_to_expansion_tokens": True})
    check(hyperir.load(pylate), ("[Q] ", "[D] "), attend=True)


def test_a_stanford_folder_gives_its_embeddings(stanford):
    check(hyperir.load(stanford), ("[unused0]", "[unused1]"))


def test_ours_gives_the_same_after_saving_and_loading(stanford, tmp_path):
    model = hyperir.load(stanford)
    model.save_pretrained(tmp_path / "ours")
    again = hyperir.load(tmp_path / "ours")
    check(again, ("[unused0]", "[unused1]"))
    assert again.fingerprint == model.fingerprint
    assert again.query.projection is again.document.projection, "one map, which trains as one"


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [("bias", True, "bias"), ("use_residual", True, "residual"), ("activation_function", "torch.nn.Tanh", "Tanh")],
)
def test_a_map_that_is_more_than_linear_is_refused(pylate, key, value, message):
    place = pylate / "1_Dense" / "config.json"
    write_json(place, {**json.loads(place.read_text()), key: value})
    with pytest.raises(ModelError, match=message):
        hyperir.load(pylate)


def test_another_similarity_is_refused(stanford):
    write_json(stanford / "artifact.metadata", {"similarity": "l2"})
    with pytest.raises(ModelError, match="cosine"):
        hyperir.load(stanford)


def test_a_document_of_skipped_tokens_alone_keeps_one(stanford):
    model = hyperir.load(stanford)
    rules = model.document.rules
    ids = torch.tensor([[WORDS["!"], WORDS[","]], [WORDS["!"], CLS]])
    assert rules.kept(ids, None).tolist() == [[True, False], [False, True]]


def test_any_transformer_becomes_one():
    model = colbert(make_backbone(), width=16, query_length=8)
    docs = model.encode_document(["the fox", "a dog"])
    assert (docs.width, docs.shape) == (16, (2,))
    assert model.encode_query(["fox"]).bounds.tolist() == [0, 8]
    torch.testing.assert_close(docs.vectors.norm(dim=1), torch.ones(len(docs.vectors)))


def test_a_relevance_function_over_other_documents_is_refused():
    backbone = make_backbone()
    plain = TextEncoderConfig(max_length=16)
    with pytest.raises(InputError, match="maxsim"):
        Model(TextEncoder(backbone, plain), TextEncoder(backbone, plain), "maxsim")
    with pytest.raises(InputError, match="dot"):
        colbert(backbone, "dot")

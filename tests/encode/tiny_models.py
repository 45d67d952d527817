"""A tiny tokenizer and tiny transformers, made in memory."""

import json

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertModel,
    DistilBertConfig,
    DistilBertForMaskedLM,
    DistilBertModel,
)

from hyperir.encode.backbone import Backbone
from hyperir.encode.config import TextEncoderConfig
from hyperir.encode.model import Model
from hyperir.encode.text_encoder import TextEncoder
from hyperir.encode.tokenizer import TextTokenizer

LINE = "the quick brown fox jumps over lazy dog a search engine ranks documents for queries query passage :"
VOCABULARY = {word: i for i, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LINE.split(" ")])}
TEXTS = [
    "the quick brown fox",
    "jumps over the lazy dog",
    "a",
    "",
    "search engine ranks documents for queries " * 5,
    "unknown words only",
    "fox fox fox",
    "the dog ranks the fox over the engine",
]


def make_tokenizer():
    tokenizer = Tokenizer(models.WordLevel(VOCABULARY, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer


def bert_config(width=128, layers=2, heads=2, scale=0.3):
    return BertConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=2 * width,
        max_position_embeddings=64,
        initializer_range=scale,  # large, so that texts differ
    )


def make_bert(seed=0, **sizes):
    torch.manual_seed(seed)
    return BertModel(bert_config(**sizes), add_pooling_layer=False).eval()


def make_masked(seed=0, **sizes):
    torch.manual_seed(seed)
    return BertForMaskedLM(bert_config(**sizes)).eval()


def distilbert_config():
    return DistilBertConfig(
        vocab_size=len(VOCABULARY),
        dim=128,
        n_layers=2,
        n_heads=2,
        hidden_dim=256,
        max_position_embeddings=64,
        initializer_range=0.3,
    )


def make_distilbert(seed=0):
    torch.manual_seed(seed)
    return DistilBertModel(distilbert_config()).eval()


def make_masked_distilbert(seed=0):
    torch.manual_seed(seed)
    return DistilBertForMaskedLM(distilbert_config()).eval()


def write_tokenizer(folder):
    folder.mkdir(parents=True, exist_ok=True)
    make_tokenizer().save(str(folder / "tokenizer.json"))
    values = {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "[PAD]", "unk_token": "[UNK]"}
    (folder / "tokenizer_config.json").write_text(json.dumps(values))


def write_json(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values))


def make_backbone(seed=0):
    return Backbone(make_bert(seed), TextTokenizer(make_tokenizer(), 0))


def make_model(relevance="dot", seed=0, query_seed=None, document=None, query=None):
    backbone = make_backbone(seed)
    other = backbone if query_seed is None else make_backbone(query_seed)
    side = {"max_length": 64, "normalize": True}
    return Model(
        TextEncoder(backbone, TextEncoderConfig(**(side | (document or {})))),
        TextEncoder(other, TextEncoderConfig(**(side | (query or {})))),
        relevance,
    ).eval()


HYPER = {"type": "hyper", "qnet": {"type": "mlp", "hidden": [16, 16]}, "linear": True}

"""SNRM: queries and documents as a few of many latent terms, learned from a lexical model's judgements.

Zamani et al., CIKM 2018. A text is the mean of its n-grams' latent weights; relevance is the inner product.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from torch import Tensor

from hyperir.core.errors import InputError
from hyperir.encode.backbone import Backbone
from hyperir.encode.config import TermsConfig, TextEncoderConfig
from hyperir.encode.masked import split
from hyperir.encode.model import Model
from hyperir.encode.ngram import NGramConfig, NGramTerms
from hyperir.encode.text_encoder import TextEncoder
from hyperir.encode.tokenizer import TextTokenizer
from hyperir.encode.transformer import evaluating

__all__ = ["read_vectors", "snrm", "word_tokenizer"]

PAD, UNKNOWN = "[PAD]", "[UNK]"


def snrm(
    texts: Iterable[str],
    *,
    words: int = 20_000,
    embedding: int = 100,
    window: int = 5,
    hidden: Sequence[int] = (300,),
    latent: int = 5_000,
    dropout: float = 0.0,
    vectors: Mapping[str, Tensor] | None = None,
    static: bool = False,
    query_length: int = 32,
    document_length: int = 1000,
    seed: int = 0,
) -> Model:
    """An SNRM that has learned nothing yet, over the words of some texts.

    Args:
        texts: of the collection; its most frequent words are known.
        words: how many, at most.
        embedding: of a word.
        window: words of an n-gram.
        hidden: sizes of the layers between words and latent terms.
        latent: how many latent terms.
        dropout: between layers, in training.
        vectors: embeddings to start from, by word, each (`embedding`,); words without one are drawn.
        static: embeddings are not trained.
        query_length: words, at most.
        document_length: words, at most.
        seed: of what is drawn.

    Raises:
        InputError: no layers, an embedding of another size, or none at all to keep.
    """
    if not hidden or min(words, embedding, window, latent, *hidden) < 1:
        raise InputError("an n-gram network needs sizes of at least 1", got=f"hidden = {hidden}, window = {window}")
    if static and not vectors:
        raise InputError("embeddings that were drawn at random must learn", fix="pass `vectors`, or static=False")
    tokenizer = word_tokenizer(texts, words)
    known = tokenizer.get_vocab()
    config = NGramConfig(
        vocab_size=len(known),
        embedding_size=embedding,
        window=window,
        hidden_sizes=list(hidden),
        latent_size=latent,
        static=static,
        dropout=dropout,
        max_position_embeddings=max(query_length, document_length),
    )
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        network = NGramTerms(config)
    with torch.no_grad():
        for word, vector in (vectors or {}).items():
            if len(vector) != embedding:
                raise InputError(f"the vector of {word!r} does not fit", expected=str(embedding), got=str(len(vector)))
            if word in known:
                network.ngram.words.weight[known[word]] = vector
    transformer, head = split(evaluating(network))
    backbone = Backbone(transformer, TextTokenizer(tokenizer, known[PAD]), head=head)
    terms = TermsConfig(pool="mean", logs=0)
    sides = (TextEncoderConfig(max_length=length, terms=terms) for length in (document_length, query_length))
    document, query = (TextEncoder(backbone, side) for side in sides)
    return Model(document, query, "dot", seed=seed).eval()


def word_tokenizer(texts: Iterable[str], words: int) -> Tokenizer:
    """A tokenizer of lower-cased words without punctuation, which knows the most frequent ones of some texts."""
    normal = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    split_up = pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.Punctuation("removed")])
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(word for word, _ in split_up.pre_tokenize_str(normal.normalize_str(text)))
    best = sorted(counts, key=lambda word: (-counts[word], word))[:words]
    vocabulary = {word: place for place, word in enumerate(dict.fromkeys([PAD, UNKNOWN, *best]))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normal, split_up
    return tokenizer


def read_vectors(path: str | Path, words: int | None = None) -> dict[str, Tensor]:
    """Embeddings from a text file as GloVe publishes them: a word and its numbers a line.

    Args:
        path: the file.
        words: lines read, at most; None reads all.

    Raises:
        InputError: a line that is none of these; names it.
    """
    found: dict[str, Tensor] = {}
    with Path(path).expanduser().open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if words is not None and number > words:
                break
            word, *values = line.rstrip().split(" ")
            try:
                found[word] = torch.tensor([float(value) for value in values])
            except ValueError as error:
                raise InputError(f"line {number} of {path} is no word with numbers", got=line[:60]) from error
    return found

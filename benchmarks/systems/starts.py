"""What SNRM starts from: embeddings of words, made of those of all-MiniLM-L6-v2."""

from collections import Counter

import torch
import torch.nn.functional as F

import hyperir
from hyperir.encode.snrm import snrm, word_tokenizer

START = "all-MiniLM-L6-v2"
WORDS, EMBEDDING = 20_000, 128
RARE = 1e-3  # a word of this share of a collection's words weighs one half (Arora et al., ICLR 2017)


def write_snrm(texts, folder, document_length):
    """An SNRM whose embeddings are those of START, by PCA; a word of several pieces has their mean.

    They stand for the pre-trained embeddings that SNRM's paper begins with. Those of frequent words are short.
    """
    tokenizer = word_tokenizer(texts, WORDS)
    counts = Counter(word for each in tokenizer.encode_batch(texts) for word in each.tokens)
    words = [word for word in tokenizer.get_vocab() if not word.startswith("[")]
    start = hyperir.load(START)
    pieces = start.document.backbone.transformer.embeddings.word_embeddings.weight.detach()
    ids = dict(zip(words, (own[1:-1] for own in start.document.tokenize(words)), strict=True))
    words = [word for word in words if ids[word]]
    vectors = torch.stack([pieces[ids[word]].mean(0) for word in words])
    shares = torch.tensor([counts[word] for word in words]) / counts.total()
    vectors = vectors - vectors.mean(0)
    widest = torch.linalg.eigh(vectors.T @ vectors).eigenvectors[:, -EMBEDDING:]
    narrow = F.normalize(vectors @ widest, dim=-1) * (RARE / (RARE + shares))[:, None]
    snrm(
        texts,
        words=WORDS,
        embedding=EMBEDDING,
        window=3,
        hidden=(100,),
        latent=2000,
        document_length=document_length,
        vectors=dict(zip(words, narrow, strict=True)),
    ).save_pretrained(folder)

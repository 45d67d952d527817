import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_models import TEXTS, make_tokenizer
from tokenizers import Tokenizer, models, pre_tokenizers

from hyperir.core.errors import InputError
from hyperir.encode.tokenizer import TextTokenizer, batches


def test_a_tokenizers_own_truncation_and_padding_are_dropped():
    theirs = make_tokenizer()
    theirs.enable_truncation(3)
    theirs.enable_padding(length=9)
    ours = TextTokenizer(theirs, 0)
    assert [len(ids) for ids in ours(TEXTS, 64)] == [6, 7, 3, 2, 32, 5, 5, 10]
    assert [len(ids) for ids in ours(TEXTS, 5)] == [5, 5, 3, 2, 5, 5, 5, 5]
    assert all(ids[0] == 2 and ids[-1] == 3 for ids in ours(TEXTS, 5)), "special tokens survive truncation"


def test_a_text_without_tokens_becomes_one():
    bare = Tokenizer(models.WordLevel({"[PAD]": 0, "[UNK]": 1}, unk_token="[UNK]"))
    bare.pre_tokenizer = pre_tokenizers.Whitespace()
    assert TextTokenizer(bare, 0)(["", "x y"], 8) == [[0], [1, 1]]


def test_broken_unicode_is_refused():
    with pytest.raises(InputError, match=r"no valid Unicode(.|\n)*\\ud800"):
        TextTokenizer(make_tokenizer(), 0)(["fine", "\ud800"], 8)


@given(
    st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=12), max_size=30),
    st.integers(1, 7),
    st.one_of(st.none(), st.integers(1, 40)),
)
def test_batches_hold_every_text_once_within_the_limits(ids, batch_size, max_tokens):
    seen = {}
    for batch in batches(ids, 0, batch_size, max_tokens):
        rows, longest = batch.ids.shape
        assert rows == len(batch.rows) <= batch_size
        assert max_tokens is None or rows == 1 or rows * longest <= max_tokens
        mask = torch.ones_like(batch.ids, dtype=torch.bool) if batch.mask is None else batch.mask
        assert batch.mask is None or not batch.mask.all(), "a mask only where something is padded"
        assert (batch.ids[~mask] == 0).all()
        for row, line, real in zip(batch.rows.tolist(), batch.ids, mask, strict=True):
            assert row not in seen
            seen[row] = line[real].tolist()
    assert seen == dict(enumerate(ids))


def test_identity_tells_tokenizers_apart():
    plain = TextTokenizer(make_tokenizer(), 0)
    cut = make_tokenizer()
    cut.enable_truncation(3)
    cased = make_tokenizer()
    cased.normalizer = None
    assert TextTokenizer(cut, 0).identity() == plain.identity()
    assert TextTokenizer(cased, 0).identity() != plain.identity()
    assert TextTokenizer(make_tokenizer(), 4).identity() != plain.identity()

"""Amounts as people read them."""

from hyperir.core.amounts import count_text


def test_one_is_no_plural():
    assert [count_text(n, "document") for n in (0, 1, 2, 1000)] == [
        "0 documents",
        "1 document",
        "2 documents",
        "1,000 documents",
    ]

"""Every law over every member of every table."""

import pytest

from hyperir import testing


@pytest.mark.parametrize("law", list(testing.laws()), ids=str)
def test_law(law):
    law()


def test_a_member_that_breaks_a_law_is_caught(monkeypatch):
    from hyperir.relevance.dot import InnerProduct

    monkeypatch.setattr(InnerProduct, "__call__", lambda self, docs: docs.vectors.sum(-1) * self.queries.sum())
    broken = []
    for law in testing.laws("relevance", "dot"):
        try:
            law()
        except (AssertionError, RuntimeError, IndexError):
            broken.append(law.check.__name__)
    assert "own_candidates_equal_a_gather_of_shared_ones" in broken
    assert "capabilities_are_true" in broken

import pytest
import torch

from hyperir.encode.pool import POOLINGS, pooled

TOKENS = torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(0))
MASK = torch.arange(5)[None, :] < torch.tensor([5, 2, 1])[:, None]


def by_loops(name):
    rows = []
    for tokens, mask in zip(TOKENS.tolist(), MASK.tolist(), strict=True):
        real = sum(mask)
        kept = [t for t, m in zip(tokens, mask, strict=True) if m or name == "mean_unmasked"]
        columns = list(zip(*kept, strict=True))
        rows.append(
            {
                "cls": tokens[0],
                "max": [max(column) for column in columns],
                "mean": [sum(column) / real for column in columns],
                "mean_unmasked": [sum(column) / real for column in columns],
                "mean_sqrt_len_tokens": [sum(column) / real**0.5 for column in columns],
                "weightedmean": [
                    sum(place * value for place, value in enumerate(column, 1)) / sum(range(1, real + 1))
                    for column in columns
                ],
                "lasttoken": tokens[real - 1],
            }[name]
        )
    return torch.tensor(rows)


@pytest.mark.parametrize("name", POOLINGS)
def test_poolings_equal_loops(name):
    torch.testing.assert_close(POOLINGS[name](TOKENS, MASK), by_loops(name))


@pytest.mark.parametrize("name", POOLINGS)
def test_no_mask_means_no_padding(name):
    everything = torch.ones(3, 5, dtype=torch.bool)
    torch.testing.assert_close(POOLINGS[name](TOKENS, None), POOLINGS[name](TOKENS, everything))


def test_only_the_unmasked_mean_depends_on_padding():
    longer = torch.cat([TOKENS, torch.ones(3, 2, 4)], 1)
    mask = torch.cat([MASK, torch.zeros(3, 2, dtype=torch.bool)], 1)
    same = {name: torch.allclose(pool(longer, mask), pool(TOKENS, MASK)) for name, pool in POOLINGS.items()}
    assert [name for name, fine in same.items() if not fine] == ["mean_unmasked"]


def test_several_stand_side_by_side():
    found = pooled(("lasttoken", "cls"), TOKENS, MASK)
    assert torch.equal(found, torch.cat([POOLINGS["lasttoken"](TOKENS, MASK), TOKENS[:, 0]], dim=1))

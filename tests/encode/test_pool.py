import pytest
import torch

from hyperir.encode.pool import POOLINGS

TOKENS = torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(0))
MASK = torch.arange(5)[None, :] < torch.tensor([5, 2, 1])[:, None]


def by_loops(name):
    rows = []
    for tokens, mask in zip(TOKENS.tolist(), MASK.tolist(), strict=True):
        if name == "cls":
            rows.append(tokens[0])
            continue
        real = sum(mask)
        kept = [t for t, m in zip(tokens, mask, strict=True) if m or name == "mean_unmasked"]
        rows.append([sum(column) / real for column in zip(*kept, strict=True)])
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
    assert same == {"cls": True, "mean": True, "mean_unmasked": False}

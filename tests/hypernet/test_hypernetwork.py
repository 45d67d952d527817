"""Heads against loops written out from the paper, and hypernetworks over modules that know nothing of retrieval."""

import math

import pytest
import torch
from torch import nn
from torch.func import functional_call

from hyperir.core.errors import ConfigError, UnknownNameError
from hyperir.hypernet import HEADS, Hypernetwork, Slot, call, slots_of

B, T, H = 2, 5, 8


@pytest.fixture
def texts():
    torch.manual_seed(0)
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]], dtype=torch.bool)
    return torch.randn(B, T, H), mask


def attention_written_out(writer, slot, tokens, mask, scale):
    """One text, one row at a time (paper, section 3.3, steps 1 to 4)."""
    rows = []
    for row in writer.rows:
        logits, values = [], []
        for token, real in zip(tokens, mask, strict=True):
            if real:
                logits.append(row @ (writer.key.weight @ token + writer.key.bias) / scale)
                values.append(writer.value.weight @ token + writer.value.bias)
        weights = torch.stack(logits).exp() / torch.stack(logits).exp().sum()
        attended = sum(w * v for w, v in zip(weights, values, strict=True)).clamp_min(0)
        normal = (attended - attended.mean()) / torch.sqrt(((attended - attended.mean()) ** 2).mean() + 1e-5)
        rows.append(writer.project.weight @ normal + writer.project.bias)
    return torch.stack(rows).reshape(slot.shape)


@pytest.mark.parametrize("scale", ["rows", "width"])
def test_the_attention_head_is_the_papers(texts, scale):
    tokens, mask = texts
    slots = {"matrix": Slot(torch.zeros(3, 4)), "bias": Slot(torch.zeros(4)), "output": Slot(torch.zeros(1, 4))}
    head = HEADS.build({"type": "attention", "scale": scale, "query_std": 1.0}, slots=slots, width=H).double()
    for parameter in head.parameters():
        nn.init.normal_(parameter)
    written = head(tokens.double(), mask)
    for (name, slot), writer in zip(slots.items(), head.writers, strict=True):
        # The released code divides by the square root of the target's rows: 1 for biases and for the output.
        by = math.sqrt({"matrix": 3, "bias": 1, "output": 1}[name] if scale == "rows" else H)
        for b in range(B):
            expected = attention_written_out(writer, slot, tokens[b].double(), mask[b], by)
            torch.testing.assert_close(written[name][b], expected)


def test_at_the_start_matrices_are_shared_and_biases_are_not():
    """REFERENCE of the released initialisation: query-specific part of matrices below 1e-3, of biases near 0.6."""
    torch.manual_seed(0)
    slots = {"matrix": Slot(torch.zeros(64, 64)), "bias": Slot(torch.zeros(64))}
    net = Hypernetwork("attention", slots, width=64)
    written = net(torch.randn(2, 7, 64), torch.ones(2, 7, dtype=torch.bool))
    assert (written["matrix"][0] - written["matrix"][1]).abs().max() < 1e-2
    assert (written["bias"][0] - written["bias"][1]).std() > 0.1


def test_the_pooled_head_is_its_formula(texts):
    tokens, mask = texts
    slots = {"matrix": Slot(torch.zeros(3, 4)), "vector": Slot(torch.zeros(4))}
    head = HEADS.build({"type": "pooled", "hidden": 6}, slots=slots, width=H)
    written = head(tokens, mask)
    for b in range(B):
        mean = torch.stack([t for t, real in zip(tokens[b], mask[b], strict=True) if real]).mean(0)
        all_of_it = head.write(nn.functional.gelu(head.read(mean)))
        torch.testing.assert_close(written["matrix"][b], all_of_it[:12].reshape(3, 4))
        torch.testing.assert_close(written["vector"][b], all_of_it[12:])


@pytest.mark.parametrize("head", ["attention", "pooled"])
def test_it_writes_any_module(texts, head):
    tokens, mask = texts
    target = nn.Sequential(nn.Conv1d(2, 3, 3, padding=1), nn.Tanh(), nn.Flatten(), nn.Linear(15, 4))
    net = Hypernetwork(head, slots_of(target), width=H)
    written = net(tokens, mask)
    x = torch.randn(7, 2, 5)
    shared = call(target, written, x)
    assert shared.shape == (B, 7, 4)
    for b in range(B):
        torch.testing.assert_close(shared[b], functional_call(target, {n: v[b] for n, v in written.items()}, (x,)))
    own = call(target, written, x[:6].reshape(B, 3, 2, 5), shared=False)
    torch.testing.assert_close(own[1], shared[1][3:6])


def test_it_learns_to_write():
    """Regression: from a one-hot text, the written linear map must become that text's own, unseen by any other."""
    torch.manual_seed(0)
    tokens, mask = torch.eye(4)[:, None, :].repeat(1, 2, 1), torch.ones(4, 2, dtype=torch.bool)
    wanted, x = torch.randn(4, 1, 3), torch.randn(20, 3)
    target = nn.Linear(3, 1, bias=False)
    net = Hypernetwork("pooled", slots_of(target), width=4)
    optimiser = torch.optim.Adam(net.parameters(), lr=0.03)
    losses = []
    for _ in range(150):
        loss = (call(target, net(tokens, mask), x) - x @ wanted.transpose(1, 2)).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.01 * losses[0]


def test_errors_name_what_is_wrong():
    slots = {"matrix": Slot(torch.zeros(2, 2))}
    with pytest.raises(UnknownNameError, match="did you mean 'attention'"):
        Hypernetwork("atention", slots, width=4)
    with pytest.raises(ConfigError, match="did you mean 'query_std'"):
        Hypernetwork({"type": "attention", "query_sdt": 1}, slots, width=4)

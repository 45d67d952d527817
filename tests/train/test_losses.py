"""Losses against formulas written out, one number at a time, and against numerical gradients."""

import math

import pytest
import torch

from hyperir.core.errors import ConfigError
from hyperir.train.losses import LOSSES

Q, K = 3, 5


@pytest.fixture
def batch():
    """Scores and targets in float64: a pad, an unknown target, and a query without any target."""
    torch.manual_seed(1)
    scores = torch.randn(Q, Q, K, dtype=torch.float64)
    targets = 3 * torch.randn(Q, K, dtype=torch.float64)
    scores[0, 0, 4], targets[0, 4] = -math.inf, math.nan
    scores[1, 2, 3] = -math.inf  # known to be relevant to query 1
    targets[1, 2] = math.nan
    targets[2] = math.nan
    return scores, targets


def own(scores):
    return [[scores[q, q, k].item() for k in range(K)] for q in range(Q)]


def softmax(values):
    top = [math.exp(v) for v in values]
    return [v / sum(top) for v in top]


def cross_entropy(scores, targets, items):
    total = 0.0
    for q in range(Q):
        if items == "own":
            others = own(scores)[q]
        else:
            others = [scores[q, p, k].item() for p in range(Q) for k in range(K if items == "all" else 1)]
        total += math.log(sum(math.exp(s) for s in others)) - scores[q, q, 0].item()
    return total / Q


def margin_mse(scores, targets):
    errors = []
    for s, t in zip(own(scores), targets.tolist(), strict=True):
        for k in range(1, K):
            error = ((s[0] - s[k]) - (t[0] - t[k])) ** 2
            if math.isfinite(error):
                errors.append(error)
    return sum(errors) / len(errors)


def kl(scores, targets, temperature):
    values = []
    for s, t in zip(own(scores), targets.tolist(), strict=True):
        known = [k for k in range(K) if math.isfinite(s[k]) and math.isfinite(t[k])]
        if len(known) > 1:
            student, teacher = softmax([s[k] for k in known]), softmax([t[k] / temperature for k in known])
            values.append(sum(p * math.log(p / r) for p, r in zip(teacher, student, strict=True)))
    return sum(values) / len(values)


def is_above(t, i, j):
    unknown = math.isnan(t[i]) or math.isnan(t[j])
    return i == 0 and i != j if unknown else t[i] > t[j]


def ranknet(scores, targets, sigma, soft):
    losses = []
    for s, t in zip(own(scores), targets.tolist(), strict=True):
        for i in range(K):
            for j in range(K):
                if is_above(t, i, j) and math.isfinite(s[i]) and math.isfinite(s[j]):
                    model = 1 / (1 + math.exp(-sigma * (s[i] - s[j])))
                    known = not math.isnan(t[i]) and not math.isnan(t[j])
                    teacher = 1 / (1 + math.exp(-(t[i] - t[j]))) if soft and known else 1.0
                    losses.append(-teacher * math.log(model) - (1 - teacher) * math.log(1 - model))
    return sum(losses) / len(losses)


def slow_lambdas(s, grades, sigma=1.0, measure="ndcg", cut=None, gain="exponential"):
    """d loss / d s of one query, by the definition: lambdas of pairs, times what their swap changes."""
    real = [k for k in range(len(s)) if math.isfinite(s[k])]
    rank = {k: 1 + sum(s[j] > s[k] for j in real) for k in real}

    def discount(r):
        return 0.0 if cut is not None and r > cut else 1 / r if measure == "rr" else 1 / math.log2(1 + r)

    def value(ranks):
        return sum(g(grades[k]) * discount(ranks[k]) for k in real)

    def g(y):
        return 2**y - 1 if gain == "exponential" else y

    best = sorted(real, key=lambda k: -grades[k])
    ideal = 1.0 if measure == "rr" else value({k: r for r, k in enumerate(best, 1)})
    lambdas = [0.0] * len(s)
    for i in real:
        for j in real:
            if grades[i] > grades[j]:
                swapped = rank | {i: rank[j], j: rank[i]}
                delta = abs(value(rank) - value(swapped)) / ideal
                pull = -sigma / (1 + math.exp(sigma * (s[i] - s[j]))) * delta
                lambdas[i] += pull
                lambdas[j] -= pull
    return lambdas


@pytest.mark.parametrize("items", ["all", "first", "own"])
def test_cross_entropy_is_its_formula(batch, items):
    scores, targets = batch
    loss = LOSSES.build({"type": "cross_entropy", "items": items})
    assert loss(scores, targets).item() == pytest.approx(cross_entropy(scores, targets, items))
    cold = LOSSES.build({"type": "cross_entropy", "items": items, "temperature": 0.25})
    assert cold(scores, targets).item() == pytest.approx(cross_entropy(4 * scores, targets, items))


def test_margin_mse_is_its_formula(batch):
    assert LOSSES.build("margin_mse")(*batch).item() == pytest.approx(margin_mse(*batch))


def test_margin_mse_is_signed():
    """A teacher that prefers the negative is followed; its opposite costs."""
    targets = torch.tensor([[0.0, 2.0]])
    followed, opposed = torch.tensor([[[0.0, 2.0]]]), torch.tensor([[[2.0, 0.0]]])
    loss = LOSSES.build("margin_mse")
    assert loss(followed, targets) == 0
    assert loss(opposed, targets) == 16


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_kl_is_its_formula(batch, temperature):
    loss = LOSSES.build({"type": "kl", "teacher_temperature": temperature})
    assert loss(*batch).item() == pytest.approx(kl(*batch, temperature))


def test_kl_is_zero_where_the_student_differs_by_a_constant(batch):
    targets = batch[1][:2, :2]
    scores = torch.zeros(2, 2, 2, dtype=torch.float64)
    scores[0, 0], scores[1, 1] = targets[0] + 7, targets[1] - 3
    assert LOSSES.build("kl")(scores, targets).item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("sigma", [1.0, 0.5])
def test_ranknet_is_its_formula(batch, sigma, soft):
    loss = LOSSES.build({"type": "ranknet", "sigma": sigma, "soft": soft})
    assert loss(*batch).item() == pytest.approx(ranknet(*batch, sigma, soft))


def test_ranknet_learns_of_positives_without_targets():
    scores = torch.zeros(1, 1, 3, dtype=torch.float64, requires_grad=True)
    LOSSES.build("ranknet")(scores, torch.full((1, 3), math.nan)).backward()
    assert scores.grad.flatten().tolist() == pytest.approx([-0.5, 0.25, 0.25])


@pytest.mark.parametrize("measure", ["ndcg", "rr"])
@pytest.mark.parametrize("gain", ["exponential", "linear"])
@pytest.mark.parametrize("cut", [None, 2])
def test_lambdarank_sends_the_lambdas_of_the_definition(measure, gain, cut):
    torch.manual_seed(2)
    scores = torch.randn(Q, Q, K, dtype=torch.float64)
    scores[1, 1, 3] = -math.inf
    grades = torch.tensor([[2, 0, 1, 0, 0], [3, 1, 0, 0, 2], [1, 0, 0, 0, 0]], dtype=torch.float64)
    leaf = scores.clone().requires_grad_()
    options = {"measure": measure, "gain": gain, "cut": cut, "sigma": 0.7}
    LOSSES.build({"type": "lambdarank", **options})(leaf, grades).backward()
    for q in range(Q):
        seen = [y if k != 3 or q != 1 else 0 for k, y in enumerate(grades[q].tolist())]
        slow = slow_lambdas(scores[q, q].tolist(), seen, 0.7, measure, cut, gain)
        assert (Q * leaf.grad[q, q]).tolist() == pytest.approx(slow)
        assert (leaf.grad[q, [p for p in range(Q) if p != q]] == 0).all()


@pytest.mark.parametrize(
    ("grades", "expected"),
    [("positive", [1, 0, 0, 0]), ("ranks", [1 / 2, 1, 0, 1 / 3]), ("targets", [2, 4, 0, 0])],
)
def test_lambdarank_reads_grades_as_it_is_told(grades, expected):
    scores = torch.tensor([[[0.3, 0.1, 0.9, 0.4]]], dtype=torch.float64, requires_grad=True)
    targets = torch.tensor([[2.0, 4.0, math.nan, -1.0]], dtype=torch.float64)
    LOSSES.build({"type": "lambdarank", "grades": grades})(scores, targets).backward()
    assert scores.grad.flatten().tolist() == pytest.approx(slow_lambdas([0.3, 0.1, 0.9, 0.4], expected))


def test_a_scaled_loss_is_the_loss_of_scaled_scores(batch):
    scores, targets = batch
    loss = LOSSES.build({"type": "scaled", "of": {"type": "cross_entropy"}, "temperature": 0.05, "bias": True}).double()
    with torch.no_grad():
        loss.bias.fill_(1.5)
    expected = LOSSES.build({"type": "cross_entropy", "temperature": 0.05})(scores, targets)
    assert loss(scores, targets).item() == pytest.approx(expected.item(), rel=1e-5)
    assert loss.scale.item() == pytest.approx(20)
    assert {name for name, _ in loss.named_parameters()} == {"bias", "log_scale"}


def test_a_temperature_may_stay():
    loss = LOSSES.build({"type": "scaled", "of": "margin_mse", "temperature": 0.05, "learn": False})
    assert not any(parameter.requires_grad for parameter in loss.parameters())


def test_a_learned_scale_reaches_a_teacher_beyond_cosines():
    """Scores within -1 and 1 cannot have margins of 8; scaled ones learn to."""
    targets = torch.tensor([[9.0, 1.0]])
    scores = torch.tensor([[[0.9, 0.1]]])
    loss = LOSSES.build({"type": "scaled", "of": "margin_mse"})
    optimiser = torch.optim.Adam(loss.parameters(), lr=0.1)
    for _ in range(200):
        optimiser.zero_grad()
        loss(scores, targets).backward()
        optimiser.step()
    assert loss.scale.item() == pytest.approx(10, rel=0.02)


MEMBERS = [
    "cross_entropy",
    {"type": "cross_entropy", "items": "first"},
    {"type": "cross_entropy", "items": "own"},
    "margin_mse",
    "kl",
    "ranknet",
    {"type": "ranknet", "soft": True},
    "lambdarank",
    {"type": "lambdarank", "grades": "ranks", "measure": "rr"},
    {"type": "scaled", "of": "kl", "bias": True},
]


@pytest.mark.parametrize("config", MEMBERS, ids=str)
def test_gradients_are_those_of_the_values(batch, config):
    scores, targets = batch
    real = torch.isfinite(scores)
    loss = LOSSES.build(config).double()

    def value(finite, *parameters):
        return loss(torch.full_like(scores, -math.inf).masked_scatter(real, finite), targets)

    finite = scores[real].clone().requires_grad_()
    assert torch.autograd.gradcheck(value, (finite, *loss.parameters()))


def test_half_precision_scores_are_compared_in_single():
    scores = torch.tensor([[[100.0, 99.5]]], dtype=torch.bfloat16)
    value = LOSSES.build("margin_mse")(scores, torch.tensor([[0.1, 0.0]]))
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(0.4**2, rel=1e-5)


def test_wrong_options_are_refused():
    with pytest.raises(ConfigError, match="temprature"):
        LOSSES.parse({"type": "cross_entropy", "temprature": 1.0})
    with pytest.raises(ConfigError, match="cut"):
        LOSSES.parse({"type": "lambdarank", "cut": 0})

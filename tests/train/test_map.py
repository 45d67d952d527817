"""The map of docs/when-to-use.md over a made-up world: what chooses rates, what is compared, and with what."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import ttest_rel
from torch.nn.functional import normalize

from benchmarks.map import page, run, several, teachers
from benchmarks.map.fit import Student, Task
from benchmarks.map.forms import FORMS, INNER, MAIN
from benchmarks.map.world import World, ranks_of
from hyperir.core.docs import Multi, States

DOCUMENTS, QUESTIONS, WIDTH, LENGTH = 200, 120, 12, 5
NETWORK = "linear + shared 256"


@pytest.fixture(scope="module")
def world():
    """Questions near their document, which is a text of one word of its own."""
    draw = torch.Generator().manual_seed(0)
    docs = normalize(torch.randn(DOCUMENTS, WIDTH, generator=draw), dim=-1)
    answers = torch.randint(DOCUMENTS, (QUESTIONS,), generator=draw)
    pooled = normalize(docs[answers] + 0.4 * torch.randn(QUESTIONS, WIDTH, generator=draw), dim=-1)
    tokens = pooled[:, None] + 0.1 * torch.randn(QUESTIONS, LENGTH, WIDTH, generator=draw)
    numbers = np.arange(QUESTIONS)
    return World(
        docs=docs,
        states=States(tokens.half(), torch.ones(QUESTIONS, LENGTH, dtype=torch.bool), pooled),
        relevant=[np.array([row]) for row in answers.tolist()],
        kinds=[""] * QUESTIONS,
        train=numbers[:60],
        valid=numbers[60:80],
        tests={"seen": numbers[80:100], "new": numbers[100:]},
        usable=torch.ones(DOCUMENTS, dtype=torch.bool),
        texts=[f"word{row} and others" for row in range(DOCUMENTS)],
        questions=[f"what of word{row}" for row in answers.tolist()],
    )


@pytest.fixture(scope="module")
def results(world, tmp_path_factory):
    found = run.Results(tmp_path_factory.mktemp("map") / "results.jsonl")
    task = Task("labels", run.own(world), steps=10)
    run.cell(found, "labels", "made up", world, task, WIDTH, [INNER, NETWORK])
    return found


def test_rates_are_chosen_without_the_tests(results):
    sweeps = [row for key, row in results.rows.items() if key.endswith(" valid")]
    assert len(sweeps) >= len(run.MAPS) + len(run.REST)
    assert all("tests" not in row for row in sweeps)


@pytest.mark.parametrize("form", [INNER, NETWORK])
def test_the_best_rate_is_no_end_of_what_was_tried(results, form):
    best = results.rows[f"labels|made up|{WIDTH}|{form}|chosen"]["rates"]
    tried = {}
    for key, row in results.rows.items():
        parts = key.split("|")
        if parts[3] == form and parts[-1].endswith(" valid"):
            tried.setdefault(tuple(map(float, parts[4].split())), []).append(row["valid"])
    tried = {rates: np.mean(values) for rates, values in tried.items()}
    assert tried[tuple(best)] == max(tried.values())
    rates = [rest for _, rest in tried]
    low, high = run.LIMITS
    assert min(rates) < best[1] < max(rates) or best[1] / 3 <= low or best[1] * 3 >= high
    near = {run.rounded(best[0] * factor, best[1]) for factor in (1 / 3, 3)}
    assert form == INNER or {pair for pair in near if low < pair[0] < high} <= set(tried)


def test_a_run_that_is_there_is_not_done_again(results, world):
    before = results.file.read_text()
    task = Task("labels", run.own(world), steps=10)
    run.cell(run.Results(results.file), "labels", "made up", world, task, WIDTH, [INNER, NETWORK])
    assert results.file.read_text() == before


def test_the_page_tells_means_of_three_seeds_and_a_paired_test(results):
    cells, rates = page.read(results.file)
    inner, network = page.summaries(cells, rates)["labels"][1:]
    assert (inner["form"], network["form"]) == (INNER, NETWORK)
    values = {}
    for form in (INNER, NETWORK):
        name = "{:g} {:g}".format(*results.rows[f"labels|made up|{WIDTH}|{form}|chosen"]["rates"])
        runs = [results.rows[f"labels|made up|{WIDTH}|{form}|{name}|{seed}"] for seed in run.SEEDS]
        values[form] = {test: np.mean([one["tests"][test] for one in runs], axis=0) for test in ("seen", "new")}
    p_values = sorted(float(ttest_rel(values[NETWORK][test], values[INNER][test]).pvalue) for test in ("seen", "new"))
    told = sorted(row[2] for row in network["tests"].values())
    for test in ("seen", "new"):
        mean, gain, _ = network["tests"][test]
        assert mean == pytest.approx(values[NETWORK][test].mean(), abs=1e-4)
        assert gain == pytest.approx(100 * (values[NETWORK][test] - values[INNER][test]).mean(), abs=1e-2)
    if not any(np.isnan(p_values)):
        holm = [min(1.0, 2 * p_values[0]), min(1.0, max(2 * p_values[0], p_values[1]))]
        assert told == pytest.approx(holm, abs=1e-3)


def test_rows_of_another_run_replace_those_of_the_same_form(results):
    cells, rates = page.read(results.file)
    rows = page.summaries(cells, rates)["labels"]
    old = [row | {"tests": {}} for row in rows] + [rows[0] | {"collection": "another"}]
    made = page.merged(json.loads(json.dumps(old)), rows)
    assert [row for row in made if row["collection"] == "made up"] == rows
    assert [row["collection"] for row in made].count("another") == 1


def test_the_strong_teacher_is_bm25_and_maxsim(world, tmp_path):
    lengths = torch.randint(1, 6, (DOCUMENTS,), generator=torch.Generator().manual_seed(1))
    indptr = torch.cat([torch.zeros(1, dtype=torch.int64), lengths.cumsum(0)])
    vectors = torch.randn(int(indptr[-1]), WIDTH, generator=torch.Generator().manual_seed(2))
    taught = teachers.strong(world, Multi(indptr, vectors), tmp_path / "teacher.pt")
    assert taught.shape == (QUESTIONS, DOCUMENTS)
    lexical = teachers.lexical(world, np.arange(QUESTIONS))
    best = ranks_of(lexical, world.relevant, "rr")
    assert np.mean(best) == 1  # every document has a word of its own
    for question in (0, 77):
        own = normalize(world.states.tokens[question].float(), dim=-1)
        late = torch.stack(
            [
                (own @ normalize(vectors[start:stop], dim=-1).T).amax(1).sum()
                for start, stop in zip(indptr[:-1].tolist(), indptr[1:].tolist(), strict=True)
            ]
        )
        expected = lexical[question] / lexical[question].max() + late / late.max()
        torch.testing.assert_close(taught[question], expected, atol=1e-4, rtol=1e-4)
    torch.save(torch.zeros(1), tmp_path / "teacher.pt")
    assert teachers.strong(world, None, tmp_path / "teacher.pt").shape == (1,)  # it is asked once


def test_spans_are_means_of_equal_parts_of_a_documents_tokens():
    lengths = [1, 3, 4, 9, 128]
    indptr = torch.tensor([0, *np.cumsum(lengths)])
    docs = Multi(indptr, torch.randn(sum(lengths), WIDTH).half())
    found = several.spans(docs, 4)
    assert found.shape == (len(lengths), 4, WIDTH)
    for row, (start, length) in enumerate(zip(indptr.tolist(), lengths, strict=False)):
        for part in range(4):
            places = range(start + part * length // 4, start + -(-(part + 1) * length // 4))
            expected = torch.stack([docs.vectors[place].float() for place in places]).mean(0)
            torch.testing.assert_close(found[row, part], normalize(expected, dim=0))


@pytest.mark.parametrize("form", MAIN)
def test_of_several_vectors_a_document_has_the_best_score(world, form):
    draw = torch.Generator().manual_seed(4)
    whole = replace(world, docs=normalize(torch.randn(DOCUMENTS, 3, WIDTH, generator=draw), dim=-1))
    student, numbers = Student(whole, FORMS[form], WIDTH // 2), whole.tests["new"]
    with torch.no_grad():
        found = student.scores(whole, numbers, student.documents(whole.docs))
        each = []
        for part in range(3):
            alone = replace(world, docs=whole.docs[:, part])
            each.append(student.scores(alone, numbers, student.documents(alone.docs)))
    torch.testing.assert_close(found, torch.stack(each).amax(0))


def test_a_regime_of_many_widths_is_told_across_them(results):
    cells, rates = page.read(results.file)
    rows = page.summaries(cells, rates)["labels"]
    wider = [row | {"width": 2 * WIDTH} for row in rows if row["form"] == INNER]
    told = page.across([*rows, *wider]).splitlines()
    assert [line for line in told if line.startswith("**")] == [
        "**made up, documents seen**",
        "**made up, new documents**",
    ]
    assert f"| form | {WIDTH} | {2 * WIDTH} |" in told
    mean, gain, p = next(row for row in rows if row["form"] == NETWORK)["tests"]["new"]
    network = [line for line in told if line.startswith(f"| {NETWORK}")][1]
    assert network.startswith(f"| {NETWORK} | " + "**" * (p < 0.05) + f"{mean:.3f} ({gain:+.1f})")
    assert network.endswith("|  |"), "it was not measured at the other width"


def test_what_follows_an_adaptations_first_table_is_folded():
    first = ["| collection | queries |", "|---|---|", "| a | 1 |"]
    table = [*first, "", "| collection | compared |", "|---|---|", "| a | b |"]
    told = page.folded(table).splitlines()
    assert told[:3] == first
    assert told[4].startswith("<details>")
    assert told[-1] == "</details>"
    assert [line for line in told if line in table and line] == [line for line in table if line]

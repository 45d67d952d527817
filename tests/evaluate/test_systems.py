"""Several systems compared, and what reports say of them."""

import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pytest
from scipy import stats

from hyperir.core.errors import InputError
from hyperir.evaluate import Scores, compare_systems, holm
from hyperir.evaluate.report import comparison_latex, comparison_page, comparison_text
from hyperir.evaluate.report.plots import nice_step

N = 12
LOW = [0.1 + 0.01 * (i % 4) for i in range(N)]
HIGH = [value + 0.3 + 0.02 * (i % 3) for i, value in enumerate(LOW)]
SAME = [*LOW[:-1], LOW[-1] + 0.05]
EVIL = "<script>x</script> & _100%"


def scores(values, measures=("nDCG@10",)):
    by_query = {m: {f"q{i}": v for i, v in enumerate(values)} for m in measures}
    return Scores(tuple(measures), by_query, 0.25, 0)


@pytest.fixture(scope="module")
def found():
    return compare_systems({"low": scores(LOW), "high": scores(HIGH), "same": scores(SAME)})


def test_all_pairs_are_tested_and_corrected(found):
    assert [(p.a, p.b) for p in found.pairs] == [("high", "low"), ("same", "low"), ("same", "high")]
    t = [stats.ttest_rel(a, b).pvalue for a, b in ((HIGH, LOW), (SAME, LOW), (SAME, HIGH))]
    assert [p.t_p for p in found.pairs] == pytest.approx(t)
    assert [p.t_holm for p in found.pairs] == pytest.approx(holm(t))
    exact = [2 / 2**N, 1, 2 / 2**N]  # of all signs only all plus and all minus reach it; one query differs
    assert [p.permutation_p for p in found.pairs] == exact
    assert [p.permutation_holm for p in found.pairs] == pytest.approx(holm(exact))
    assert [found.significant(p) for p in found.pairs] == [True, False, True]
    assert [(p.wins, p.ties, p.losses) for p in found.pairs] == [(N, 0, 0), (1, N - 1, 0), (0, 0, N)]
    for pair in found.pairs:
        assert pair.interval[0] <= pair.difference <= pair.interval[1]
    means = {system.name: system for system in found.systems}
    assert means["high"].means["nDCG@10"] == pytest.approx(sum(HIGH) / N)
    low, high = means["high"].intervals["nDCG@10"]
    assert min(HIGH) < low < means["high"].means["nDCG@10"] < high < max(HIGH)


def test_a_baseline_leaves_the_comparisons_with_it():
    systems = {"low": scores(LOW), "high": scores(HIGH), "same": scores(SAME)}
    found = compare_systems(systems, baseline="high")
    assert [(p.a, p.b) for p in found.pairs] == [("low", "high"), ("same", "high")]
    assert "0.1147‡" not in comparison_text(compare_systems(systems, baseline="low"))
    assert comparison_text(found).count("‡") == 2 + 1, "both are worse; the explanation"


def test_rounds_grow_with_the_comparisons():
    measures = tuple(f"P@{k}" for k in range(1, 41))
    found = compare_systems({"a": scores(LOW, measures), "b": scores(HIGH, measures)}, rounds=10)
    assert found.rounds >= 20 * len(found.pairs) / 0.05 - 1


def test_a_seed_repeats_everything():
    systems = {"low": scores(LOW * 3), "same": scores(SAME * 3)}
    assert compare_systems(systems, seed=3) == compare_systems(systems, seed=3)


def test_hardest_queries_and_differences(found):
    assert [row.query for row in found.hardest("nDCG@10", 2)] == ["q0", "q4"]
    assert found.hardest("nDCG@10", 1)[0].values == {"low": LOW[0], "high": HIGH[0], "same": SAME[0]}
    differences = found.differences(found.pairs[0])
    assert list(differences.values()) == sorted(differences.values(), reverse=True)


def test_bad_comparisons():
    with pytest.raises(InputError, match="two systems"):
        compare_systems({"a": scores(LOW)})
    with pytest.raises(InputError, match="did you mean 'low'"):
        compare_systems({"low": scores(LOW), "b": scores(HIGH)}, baseline="lwo")
    with pytest.raises(InputError, match="different queries"):
        compare_systems({"a": scores(LOW), "b": scores(HIGH[:-1])})
    with pytest.raises(InputError, match="other measures"):
        compare_systems({"a": scores(LOW), "b": scores(HIGH, ("AP",))})
    with pytest.raises(InputError, match="level"):
        compare_systems({"a": scores(LOW), "b": scores(HIGH)}, level=1)


def test_text_shows_marks_and_corrected_p_values(found):
    text = comparison_text(found, hardest=2, texts={"q0": "why so hard"}, notes=["a note"])
    assert re.search(r"^b high +0\.4350ac", text, re.MULTILINE), text
    assert "why so hard" in text
    assert text.endswith("a note")
    assert "3 comparisons" in text
    assert text.count("significant\n") == 2


def test_latex_is_escaped_bold_and_marked():
    found = compare_systems({"a_b & 50%": scores(LOW), "high": scores(HIGH)}, baseline="a_b & 50%")
    text = comparison_latex(found, caption="Cost < $5.", label="tab:x y}")
    assert r"a\_b \& 50\% & .115 \\" in text
    assert r"high & \textbf{.435}$^{\dagger}$ \\" in text
    assert r"Cost \textless{} \$5." in text
    assert r"\label{tab:xy}" in text
    assert text.count(r"\toprule") == text.count(r"\bottomrule") == 1
    assert "Holm" in text
    assert f"{N} queries." in text
    assert "Intervals" not in text, "the table shows none"
    assert text.isascii()


class Tags(HTMLParser):
    VOID = ("meta", "wbr")

    def __init__(self):
        super().__init__()
        self.open, self.seen = [], []

    def handle_starttag(self, tag, attributes):
        self.seen.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.seen.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_one_closed_file_without_scripts():
    found = compare_systems({EVIL: scores(LOW), "high": scores(HIGH)})
    page = comparison_page(found, texts={"q0": EVIL}, notes=[EVIL], title=EVIL)
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    assert not {"script", "link", "img", "iframe"} & set(tags.seen)
    assert "http" not in page.replace("http-equiv", "")
    assert "prefers-color-scheme:dark" in page
    pictures = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    assert len(pictures) == 2, "means of one measure, differences of one pair"
    for picture in pictures:
        root = ET.fromstring(picture)
        assert root.get("role") == "img"
        width, height = map(float, root.get("viewBox").split()[2:])
        for element in root.iter():
            assert all(-1 <= float(element.get(at, 0)) <= width + 1 for at in ("x", "x1", "x2", "cx")), element.attrib
            assert all(-1 <= float(element.get(at, 0)) <= height + 1 for at in ("y", "y1", "y2", "cy")), element.attrib
    assert len(list(ET.fromstring(pictures[1]).iter("rect"))) == N


def test_long_names_leave_room_for_the_queries(found):
    page = comparison_page(compare_systems({"a_long_name": scores(LOW), "high": scores(HIGH)}), texts={"q0": "why"})
    assert "a_<wbr>long_<wbr>name</th>" in page
    assert '<td class="words">q0<small>why</small></td>' in page
    assert "<small></small>" not in page


def test_many_queries_share_bars():
    found = compare_systems({"a": scores([0.1 * (i % 7) for i in range(1000)]), "b": scores([0.2] * 1000)})
    page = comparison_page(found)
    assert 200 <= page.count("<rect") <= 240
    assert "and 4 more" in page


@pytest.mark.parametrize(("span", "step"), [(1, 0.5), (0.4, 0.1), (0.05, 0.02), (7, 2), (1e-9, 5e-10)])
def test_steps_are_round(span, step):
    assert nice_step(span) == pytest.approx(step)


def test_plain_values_are_json(found):
    plain = json.loads(json.dumps(found.as_dict(by_query=True)))
    assert plain["by_query"]["nDCG@10"]["low"]["q0"] == LOW[0]
    assert "by_query" not in found.as_dict()

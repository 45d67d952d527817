"""docs/when-to-use.md with its tables and pictures, from what the runs of the map wrote down.

    python -m benchmarks.map.page FOLDER_OF_COLLECTIONS WORK -o docs

The adaptations' table is that of `benchmarks/map/adapt.py --table WORK/adapt.md`.
"""

import argparse
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
from scipy.stats import ttest_rel

from benchmarks.map import conditions, pictures
from benchmarks.map.forms import INNER
from benchmarks.map.run import REGIMES
from hyperir.evaluate.holm import holm

JOINT = ("joint, pretrained", "joint, random")
SEEN_AS = {"seen": "documents seen", "new": "new documents", "pairs": "unseen pairs", "words": "unseen words",
           "known": "known things", "unknown": "unknown things", "new people": "new people"}  # fmt: skip


def read(file):
    """(regime, collection, width) -> form -> test -> (seeds, questions) values; and the rates that were chosen."""
    rows = {row["key"]: row for row in map(json.loads, file.read_text(encoding="utf-8").splitlines())}
    cells, rates = defaultdict(lambda: defaultdict(dict)), {}
    for key, row in rows.items():
        parts = key.split("|")
        where, form = (parts[0], parts[1], int(parts[2])), parts[3]
        if form in ("as it comes", "product quantisation"):
            cells[where][form] = {test: np.array([values]) for test, values in row["tests"].items()}
        elif parts[-1] == "chosen":
            name = "{:g} {:g}".format(*row["rates"])
            runs = [rows[f"{key.rsplit('|', 1)[0]}|{name}|{seed}"] for seed in range(3)]
            cells[where][form] = {test: np.array([run["tests"][test] for run in runs]) for test in runs[0]["tests"]}
            rates[where, form] = row["rates"]
    return cells, rates


def differences(cells, regime):
    """(collection, width, form, test) -> (points gained on the inner product, Holm's p within the regime)."""
    found = {}
    for (one, name, width), forms in cells.items():
        if one != regime or INNER not in forms:
            continue
        for form, tests in forms.items():
            if form in (INNER, "as it comes", "product quantisation"):
                continue
            for test, values in tests.items():
                mine, other = values.mean(0), forms[INNER][test].mean(0)
                found[name, width, form, test] = (100 * (mine - other).mean(), float(ttest_rel(mine, other).pvalue))
    p_values = holm([p for _, p in found.values()])
    return {key: (gain, p) for (key, (gain, _)), p in zip(found.items(), p_values, strict=True)}


def table(cells, rates, regime):
    """Markdown of one regime."""
    told = differences(cells, regime)
    wheres = [where for where in cells if where[0] == regime]
    lines = []
    for where in wheres:
        forms = cells[where]
        tests = list(next(iter(forms.values())))
        lines += ["", f"**{where[1]}, {where[2]} numbers a document**", ""]
        lines += [
            "| form | " + " | ".join(SEEN_AS.get(t, t) for t in tests) + " | rates |",
            "|---" * (len(tests) + 2) + "|",
        ]
        for form, values in forms.items():
            row = []
            for test in tests:
                text = f"{values[test].mean():.3f}"
                if (where[1], where[2], form, test) in told:
                    gain, p = told[where[1], where[2], form, test]
                    text += f" ({gain:+.1f}, p {p:.3f})" if p >= 0.001 else f" ({gain:+.1f}, p < .001)"
                    text = f"**{text}**" if p < 0.05 else text
                row.append(text)
            chosen = " / ".join(f"{rate:g}" for rate in rates[where, form]) if (where, form) in rates else ""
            lines.append(f"| {form} | " + " | ".join(row) + f" | {chosen} |")
    return "\n".join(lines)


def kinds(cells, world, width=384):
    """P@10 by kind of condition."""
    where = ("conditions", "paragraphs", width)
    lines = ["| condition | test | " + " | ".join(cells[where]) + " |", "|---" * (len(cells[where]) + 2) + "|"]
    for test, numbers in world.tests.items():
        for kind in conditions.WORDINGS:
            at = [place for place, number in enumerate(numbers) if world.kinds[number] == kind]
            means = [f"{values[test][:, at].mean():.3f}" for values in cells[where].values()]
            lines.append(f"| {kind} | {SEEN_AS[test]} | " + " | ".join(means) + " |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("collections", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    cells, rates = read(options.work / "results.jsonl")
    page = Path(__file__).with_name("template.md").read_text(encoding="utf-8")
    for regime in (*REGIMES, *JOINT):
        told = table(cells, rates, regime) or "\nNot measured yet."
        page = page.replace(f"<!-- {regime} -->", told.strip())
    adapted = options.work / "adapt.md"
    if adapted.is_file():
        page = page.replace("<!-- adapt -->", adapted.read_text(encoding="utf-8").strip())
        pictures.bars(
            json.loads(adapted.with_suffix(".json").read_text()), options.output / "pictures" / "map-adapt.png"
        )
    world = conditions.paragraphs(options.collections, options.work / "worlds")
    page = page.replace("<!-- kinds -->", kinds(cells, world))
    (options.output / "when-to-use.md").write_text(page, encoding="utf-8")
    told = {regime: differences(cells, regime) for regime in dict.fromkeys(where[0] for where in cells)}
    pictures.heat(told, options.output / "pictures" / "map.png")
    pictures.curves(cells, options.output / "pictures" / "map-bytes.png")


if __name__ == "__main__":
    main()

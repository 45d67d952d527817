"""Tables and pictures of the map, for docs/when-to-use.md.

python -m benchmarks.map.page FOLDER_OF_COLLECTIONS WORK -o PICTURES > tables.md
"""

import argparse
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
from scipy.stats import ttest_rel

from benchmarks.map import conditions
from benchmarks.map.forms import INNER
from benchmarks.map.run import REGIMES
from hyperir.evaluate.holm import holm

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


def heat(cells, file):
    """One square a regime, collection and test, and form: points gained on the inner product, a dot where p < .05."""
    import matplotlib.pyplot as plt

    told = {}
    for regime in dict.fromkeys(where[0] for where in cells):
        told |= {(regime, *key): value for key, value in differences(cells, regime).items()}
    told = {key: value for key, value in told.items() if key[0] != "shapes"}
    rows = list(dict.fromkeys((regime, name, width, test) for regime, name, width, _, test in told))
    forms = list(dict.fromkeys(key[3] for key in told))
    shown = np.full((len(rows), len(forms)), np.nan)
    fig, axis = plt.subplots(figsize=(8, 0.26 * len(rows) + 1.6), layout="constrained")
    for (regime, name, width, form, test), (gain, p) in told.items():
        at = rows.index((regime, name, width, test)), forms.index(form)
        shown[at] = gain
        told_as, ink = f"{gain:+.1f}" + ("*" if p < 0.05 else ""), "white" if abs(gain) > 7 else "black"
        axis.text(at[1], at[0], told_as, ha="center", va="center", fontsize=7, color=ink)
    image = axis.imshow(shown, cmap="RdBu", vmin=-10, vmax=10, aspect="auto")
    axis.set_xticks(range(len(forms)), forms, rotation=20, ha="right", fontsize=8)
    labels = [f"{regime}: {name}, {width}, {SEEN_AS.get(test, test)}" for regime, name, width, test in rows]
    axis.set_yticks(range(len(rows)), labels, fontsize=7)
    axis.set_title("Points gained on the inner product (* p < .05 after Holm)", fontsize=9)
    fig.colorbar(image, shrink=0.5)
    fig.savefig(file, dpi=110)
    plt.close(fig)


def curves(cells, file):
    """RR@10 against bytes a document under label-free compression: numbers as bytes, and product quantisation."""
    import matplotlib.pyplot as plt

    names = list(dict.fromkeys(where[1] for where in cells if where[0] == "narrow"))
    fig, axes = plt.subplots(1, len(names), figsize=(4.6 * len(names), 3.6), layout="constrained", squeeze=False)
    for axis, name in zip(axes[0], names, strict=True):
        forms = dict.fromkeys(form for where, found in cells.items() if where[:2] == ("narrow", name) for form in found)
        for form in forms:
            points = sorted(
                (where[2], found[form]["new"].mean())
                for where, found in cells.items()
                if where[:2] == ("narrow", name) and form in found
            )
            style = "--" if form in ("as it comes", "product quantisation") else "-"
            axis.plot(*zip(*points, strict=True), style, marker="o", markersize=3, label=form)
        axis.set_xscale("log", base=2)
        axis.set_xlabel("bytes a document, if a number takes one")
        axis.set_ylabel("RR@10, new documents")
        axis.set_title(name, fontsize=9)
        axis.grid(alpha=0.3)
    axes[0][0].legend(fontsize=7)
    fig.savefig(file, dpi=110)
    plt.close(fig)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("collections", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    cells, rates = read(options.work / "results.jsonl")
    page = Path(__file__).with_name("template.md").read_text(encoding="utf-8")
    for regime in REGIMES:
        told = table(cells, rates, regime) or "\nNot measured yet."
        page = page.replace(f"<!-- {regime} -->", told.strip())
    world = conditions.paragraphs(options.collections, options.work / "worlds")
    page = page.replace("<!-- kinds -->", kinds(cells, world))
    (options.output / "when-to-use.md").write_text(page, encoding="utf-8")
    heat(cells, options.output / "pictures" / "map.png")
    curves(cells, options.output / "pictures" / "map-bytes.png")


if __name__ == "__main__":
    main()

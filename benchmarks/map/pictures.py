"""The pictures of docs/when-to-use.md."""

import matplotlib.pyplot as plt
import numpy as np

# Every test is either about what training saw, or about what it did not.
SIDES = {
    "about what training saw": ("seen", "pairs", "known"),
    "about what it did not": ("new", "words", "unknown", "new people"),
}
MOST = 10  # points at which a colour is full
LINES = {  # of the curves, in this order
    "scalar quantisation, 1 bit": ("--", "tab:purple"),
    "product quantisation": ("--", "tab:gray"),
    "scalar quantisation, 4 bits": ("--", "tab:olive"),
    "linear + shared 256": ("-", "tab:blue"),
    "linear + 64-64": ("-", "tab:cyan"),
    "inner product": ("-", "tab:red"),
    "as it comes": ("--", "tab:orange"),
}

ARMS = {  # of adaptations
    "before": "tab:gray",
    "before, control": "tab:olive",
    "inner product": "tab:red",
    "q-net": "tab:blue",
    "q-net, rows": "tab:purple",
    "q-net, 64-64": "tab:cyan",
    "query encoder": "tab:green",
    "q-net, encoder": "tab:brown",
}


def heat(told, file):
    """A square a form, regime, collection and width, on two sides: points gained on the inner product.

    Args:
        told: regime -> its cells, as `page.summaries` gives them.
        file: the picture.
    """
    told = {
        (regime, row["collection"], row["width"], row["form"], test): values[1:]
        for regime, rows in told.items()
        if not regime.startswith("shapes")
        for row in rows
        for test, values in row["tests"].items()
        if len(values) > 1
    }
    rows = list(dict.fromkeys((r, n, w, "people" in test) for r, n, w, _, test in told))
    forms = list(dict.fromkeys(key[3] for key in told))
    size = (4.4 + 0.85 * len(forms), 0.25 * len(rows) + 1.8)
    fig, axes = plt.subplots(1, 2, figsize=size, layout="constrained", sharey=True)
    for axis, (side, tests) in zip(axes, SIDES.items(), strict=True):
        shown = np.full((len(rows), len(forms)), np.nan)
        for (regime, name, width, form, test), (gain, p) in told.items():
            if test not in tests:
                continue
            at = rows.index((regime, name, width, "people" in test)), forms.index(form)
            shown[at] = gain
            text, ink = f"{gain:+.1f}" + ("*" if p < 0.05 else ""), "white" if abs(gain) > 0.7 * MOST else "black"
            axis.text(at[1], at[0], text, ha="center", va="center", fontsize=7, color=ink)
        image = axis.imshow(shown, cmap="RdBu", vmin=-MOST, vmax=MOST, aspect="auto")
        axis.set_xticks(range(len(forms)), forms, rotation=25, ha="right", fontsize=8)
        axis.set_title(side, fontsize=9)
        for at in range(1, len(rows)):
            if rows[at][0] != rows[at - 1][0]:
                axis.axhline(at - 0.5, color="black", linewidth=0.8)
    labels = [f"{r}: {n}, {w} numbers" + (", new people" if people else "") for r, n, w, people in rows]
    axes[0].set_yticks(range(len(rows)), labels, fontsize=7)
    fig.colorbar(image, ax=axes, orientation="horizontal", shrink=0.4, aspect=40, label="points (* p < .05 after Holm)")
    fig.savefig(file, dpi=110)
    plt.close(fig)


def curves(rows, file):
    """RR@10 on new documents against bytes a document, label-free: numbers as bytes, and product quantisation."""
    names = list(dict.fromkeys(row["collection"] for row in rows))
    fig, axes = plt.subplots(1, len(names), figsize=(4.6 * len(names), 3.6), layout="constrained", squeeze=False)
    for axis, name in zip(axes[0], names, strict=True):
        for form, (style, colour) in LINES.items():
            own = [row for row in rows if row["collection"] == name and row["form"] == form]
            points = sorted((row["width"], row["tests"]["new"][0]) for row in own)
            axis.plot(*zip(*points, strict=True), style, color=colour, marker="o", markersize=3, label=form)
        sizes = sorted({row["width"] for row in rows if row["collection"] == name})
        axis.set_xscale("log", base=2)
        axis.set_xticks(sizes, sizes)
        axis.set_ylim(0)
        axis.set_xlabel("bytes a document, if a number takes one")
        axis.set_ylabel("RR@10, new documents")
        axis.set_title(name, fontsize=9)
        axis.grid(alpha=0.3)
    axes[0][0].legend(fontsize=7)
    fig.savefig(file, dpi=110)
    plt.close(fig)


def bars(means, file):
    """nDCG@10 of test queries before and after each adaptation.

    Args:
        means: collection -> arm -> mean.
        file: the picture.
    """
    arms = list(next(iter(means.values())))
    wide = 0.8 / len(arms)
    fig, axis = plt.subplots(figsize=(0.33 * len(arms) * len(means) + 2, 3.4), layout="constrained")
    for turn, arm in enumerate(arms):
        places = [at + (turn - (len(arms) - 1) / 2) * wide for at in range(len(means))]
        drawn = axis.bar(places, [found.get(arm, 0) for found in means.values()], wide, label=arm, color=ARMS[arm])
        axis.bar_label(
            drawn, [f"{100 * found[arm]:.1f}" if arm in found else "" for found in means.values()], fontsize=7
        )
    axis.set_xticks(range(len(means)), list(means))
    axis.set_ylabel("nDCG@10 of test queries")
    axis.set_ylim(0, 1.15 * max(max(found.values()) for found in means.values()))
    axis.legend(fontsize=7, loc="upper left", ncols=len(arms))
    fig.savefig(file, dpi=110)
    plt.close(fig)

"""Looking after an index and the installation: info, verify, repair, doctor."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from hyperir.cli.app import AsJson, CommitNumber, Folder, Wait, app, print_json, say

__all__ = ["doctor", "info", "repair", "verify"]


@app.command()
def info(
    folder: Folder,
    history: Annotated[bool, typer.Option("--history", help="Also the commits that can be opened.")] = False,
    commit: CommitNumber = None,
    as_json: AsJson = False,
) -> None:
    """Say what an index holds, and what changed it."""
    from hyperir.core.amounts import bytes_text, count_text
    from hyperir.index.store import Store

    opened = Store.open(folder, commit)
    facts = opened.info()
    past = opened.history() if history else []
    if as_json:
        print_json(facts | ({"history": [vars(one) for one in past]} if history else {}))
        return
    encoder = facts["encoder"]
    size = ", ".join(f"{part} {bytes_text(n)}" for part, n in facts["bytes"].items())
    counts = f"{facts['empty_texts']:,} with empty text" + (f", {facts['deleted']:,} deleted" * bool(facts["deleted"]))
    print(f"{facts['path']}\n  documents  {facts['documents']:,} ({counts})")
    by = f"{facts['dtype']}, by {encoder['name'] if encoder else 'yourself'}"
    if facts["kind"] == "sparse":
        print(f"  holds      {facts['vectors']:,} weights of terms, {by}")
    else:
        print(f"  vectors    {facts['width']} wide, {by}")
    print(f"  metadata   {', '.join(f'{k} ({v})' for k, v in facts['metadata'].items()) or 'none'}")
    if facts["indexed"]:
        print(f"  indexed    {', '.join(facts['indexed'])}")
    for one in facts["structures"]:
        settings = {name: value for name, value in one["config"].items() if name != "type"}
        print(f"  structure  {one['type']}{f' {settings}' if settings else ''}: {_age(one)}")
    if facts["fitted"]:
        print(f"  searches   by a function fitted to it: {facts['fitted'][-1]['told']}")
    print(f"  disk       {size}\n  commit     {facts['number']} of {facts['updated']}")
    for one in past:
        held = count_text(one.documents, "document")
        print(f"{one.number:>11}  {one.created}  {held:>21}  {one.change}")


def _age(structure: dict[str, Any]) -> str:
    """What a structure covers, and how far the index has gone on since."""
    from hyperir.core.amounts import bytes_text

    since = f"{structure['added_since']:,} added and {structure['removed_since']:,} removed since"
    return (
        f"{structure['documents']:,} documents, {since}{', due to be built again' * structure['due']}; "
        f"{bytes_text(structure['bytes'])}"
    )


@app.command()
def verify(folder: Folder, as_json: AsJson = False) -> None:
    """Read a whole index again and compare it with what was committed. Exit code 3 if anything is damaged."""
    from hyperir.index.verify import verify as check

    report = check(folder)
    if as_json:
        problems = [{"file": p.file, "what": p.what} for p in report.problems]
        print_json({"ok": report.ok, "problems": problems, "documents": report.documents, "bytes": report.bytes})
    else:
        print(report)
    if not report.ok:
        raise typer.Exit(3)


@app.command()
def repair(
    folder: Folder,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; else the plan is only printed.")] = False,
    wait: Wait = 0.0,
    as_json: AsJson = False,
) -> None:
    """Say how a damaged index can be made whole and what that loses; with --yes, do it.

    Exit code 3 where something is damaged and --yes was not said.
    """
    from hyperir.index.repair import repair as mend

    plan = mend(folder, apply=yes, wait=wait)
    if as_json:
        print_json(
            {
                "needed": plan.needed,
                "done": yes and plan.needed,
                "problems": [{"file": p.file, "what": p.what} for p in plan.problems],
                "back_to_commit": plan.base.number if plan.base else None,
                "made_again": [*plan.rebuilt, *["scalar indices"] * plan.reindexed],
                "dropped": [*plan.dropped.values(), *plan.unfitted],
                "lost_commits": list(plan.lost_commits),
                "lost_documents": plan.lost_documents,
                "revived_documents": plan.revived_documents,
                "given_up": list(plan.given_up),
            }
        )
    else:
        print(plan)
    if plan.needed and not yes:
        if plan.base is not None:
            say(f"Nothing was changed. To do it: hyperir repair {folder} --yes")
        raise typer.Exit(3)


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Say what is installed, what is missing, and what to do."""
    from hyperir.doctor import examine

    findings = examine()
    if as_json:
        print_json([vars(finding) for finding in findings])
    else:
        for finding in findings:
            print(f"{'ok ' if finding.ok else '-- '} {finding.what:26} {finding.detail}")
    if any(finding.needed and not finding.ok for finding in findings):
        raise typer.Exit(1)

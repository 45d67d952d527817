"""What all verbs share: the program, its errors and exit codes, and options that several verbs have."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from hyperir.core.errors import HyperIRError, InputError
from hyperir.core.settings import typed

__all__ = [
    "AsJson",
    "BatchSize",
    "Budget",
    "CommitNumber",
    "Corpus",
    "Folder",
    "IdColumn",
    "ModelName",
    "Offline",
    "SameModel",
    "TextColumn",
    "TitleColumn",
    "Wait",
    "Where",
    "app",
    "go_offline",
    "main",
    "print_json",
    "say",
    "strategy_of",
]

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Offline = Annotated[bool, typer.Option("--offline", help="Never use the network.")]
Folder = Annotated[Path, typer.Argument(metavar="INDEX", help="The index folder.")]
Corpus = Annotated[str, typer.Argument(help="BEIR folder, jsonl, csv, tsv, parquet, text folder, irds:ID, pydoc.")]
ModelName = Annotated[str, typer.Option("--model", "-M", help="A bundled model, a folder, a hub id, or bm25, tfidf.")]
SameModel = Annotated[str | None, typer.Option("--model", "-M", help="Another model with the same vectors.")]
BatchSize = Annotated[int, typer.Option(min=1, help="Documents encoded at once.")]
IdColumn = Annotated[str | None, typer.Option(help="The column of the ids.")]
TextColumn = Annotated[str | None, typer.Option(help="The column of the texts.")]
TitleColumn = Annotated[str | None, typer.Option(help="The column of the titles.")]
Where = Annotated[str | None, typer.Option(help="Only documents that pass, such as 'year >= 2020'.")]
CommitNumber = Annotated[int | None, typer.Option("--commit", help="An older commit; info --history lists them.")]
Budget = Annotated[str | None, typer.Option(help="A query scores so many documents at most; or a time, as 5ms.")]
Wait = Annotated[float, typer.Option(min=0, metavar="SECONDS", help="How long to wait for another writer.")]


class Verbs(TyperGroup):
    """Every error of ours is a message and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run a verb."""
        try:
            return super().invoke(ctx)
        except HyperIRError as error:
            say(f"hyperir: {error}", *_notes(error))
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt as error:
            say("hyperir: interrupted", *(_notes(error) or ["What was committed before is kept."]))
            raise typer.Exit(130) from None
        except BrokenPipeError:  # `hyperir search ... | head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from None


app = typer.Typer(
    cls=Verbs,
    help="Retrieval with learned relevance functions.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point."""
    app(args=None if arguments is None else list(arguments), standalone_mode=True)


@app.callback()
def _before(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        from hyperir import __version__

        print(f"hyperir {__version__}")
        raise typer.Exit


def _notes(error: BaseException) -> list[str]:
    return [f"  {note}" for note in getattr(error, "__notes__", [])]


def go_offline(offline: bool) -> None:
    """Forbid the network, where asked to."""
    if offline:
        os.environ["HF_HUB_OFFLINE"] = "1"


def strategy_of(text: str) -> str | dict[str, Any]:
    """A strategy as typed: a name, `ivf:probes=4,cells=100`, or a configuration as JSON."""
    if text.lstrip().startswith("{"):
        return _settings(text)
    name, _, rest = text.partition(":")
    return typed(text) if rest else name


def _settings(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError("--strategy is no JSON", got=text, expected=str(error)) from None
    if not isinstance(found, dict):
        raise InputError("--strategy is no configuration", got=text, expected='{"type": ...}')
    return found


def print_json(value: Any) -> None:
    """Print plain values on stdout."""
    print(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def say(*lines: str) -> None:
    """Print messages on stderr."""
    print(*lines, sep="\n", file=sys.stderr)

"""The command line run by tests: as a process of its own, or in this one where only the answer counts."""

import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from types import SimpleNamespace

from hyperir.cli import main

COMMAND = [sys.executable, "-m", "hyperir"]
ENVIRONMENT = {"HF_HUB_OFFLINE": "1", "COLUMNS": "120", "NO_COLOR": "1"}
DOCUMENTS = [
    {"id": "1", "text": "the quick brown fox", "title": "fox"},
    {"id": "2", "text": "lazy dog over dog"},
    {"id": "3", "text": "search engine ranks documents for queries"},
    {"id": "4", "text": ""},
]


def hyperir(*arguments, **environment):
    """A process: `hyperir ARGUMENTS`."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        env=os.environ | ENVIRONMENT | environment,
        timeout=120,
    )


def here(*arguments):
    """The same in this process, which imports nothing twice."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with redirect_stdout(out), redirect_stderr(err):
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as stop:
            code = stop.code
    return SimpleNamespace(returncode=code, stdout=out.getvalue(), stderr=err.getvalue())


def lines(path, rows):
    """A file of JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path

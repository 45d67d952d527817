"""The house: which room may import which, what is exported, and that nothing heavy is imported before it is needed."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import hyperir
from hyperir.core import errors

ROOT = Path(hyperir.__file__).parent
LOWER = {"core"}
MIDDLE = LOWER | {"corpus", "hypernet", "index", "relevance"}
MAY_IMPORT = {
    "core": LOWER,
    "corpus": LOWER | {"corpus"},
    "hypernet": LOWER | {"hypernet"},
    "index": LOWER | {"index"},
    "relevance": LOWER | {"relevance", "hypernet"},
    "encode": MIDDLE | {"encode"},
    "search": MIDDLE | {"encode", "search"},
    "evaluate": LOWER | {"evaluate", "corpus", "search", "index"},  # a bench measures the index's strategies
    "train": MIDDLE | {"encode", "search", "evaluate", "train"},
    "testing": MIDDLE | {"testing", "train"},
    "_version": set(),
    # The command line and the front door may use every room.
}


def imports_of(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


MODULES = sorted(p for p in ROOT.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_rooms_import_only_what_stands_below_them(path):
    room = path.relative_to(ROOT).parts[0].removesuffix(".py")
    if room not in MAY_IMPORT:
        assert room in ("__init__", "__main__", "cli", "demo", "doctor"), f"{room} is in no rule of this test"
        return
    for name in imports_of(path):
        parts = name.split(".")
        if parts[0] == "hyperir" and len(parts) > 1 and (ROOT / parts[1]).exists():
            assert parts[1] in MAY_IMPORT[room], f"{path.relative_to(ROOT)} imports {name}"


@pytest.mark.parametrize("path", [p for p in MODULES if "__all__" in p.read_text()], ids=lambda p: str(p.name))
def test_exported_names_are_sorted(path):
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            names = [element.value for element in node.value.elts]
            assert len(names) == len(set(names))
            assert names == sorted(
                names, key=lambda n: (len(n) == 1 or not n.isupper(), not n[0].isupper(), n)
            ) or names == sorted(names)


def test_the_front_door_is_sorted_and_whole():
    assert hyperir.__all__ == sorted(hyperir.__all__)
    assert all(getattr(hyperir, name) is not None for name in hyperir.__all__)
    assert set(hyperir.__all__) <= set(dir(hyperir))


def test_an_unknown_name_at_the_front_door_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'lod'"):
        hyperir.lod  # noqa: B018


def test_the_tree_of_errors_is_the_one_drawn():
    drawn = {line.split("──")[1].split()[0] for line in errors.__doc__.splitlines() if "──" in line}
    defined = {name for name in errors.__all__ if name.endswith("Error")}
    assert drawn | {"HyperIRError"} == defined


@pytest.mark.parametrize("module", ["hyperir", "hyperir.cli", "hyperir.corpus"])
def test_heavy_libraries_wait_until_they_are_needed(module):
    heavy = {"lance", "numpy", "pyarrow", "torch", "transformers"}
    code = f"import sys, {module}; print(*sorted(set(sys.modules) & {heavy}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_test_files_have_names_of_their_own():
    """pytest imports them by name alone, so that two of one name fail only where both are collected."""
    names = [path.name for path in Path(__file__).parent.rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))

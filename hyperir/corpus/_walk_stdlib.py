"""Print the docstrings of the running Python's standard library as JSON lines.

`pydoc.py` runs this file in an interpreter of its own (`python -I`): reading every docstring means importing every
module, and none of that should happen inside the caller's process. It imports nothing but the standard library.

One passage per module, class, function, method or property that has a docstring of its own. Its id is the name under
which a programmer imports it (`collections.deque.rotate`, `str.split`), not that of the private module it lives in.
"""

import contextlib
import importlib
import inspect
import io
import json
import pkgutil
import re
import sys
import types
import warnings
from collections.abc import Iterator

# Left out: programs rather than libraries, modules with effects on import, modules gone or going in later Pythons
# (so that a test set means the same on each), and the GUI ones, which many installations lack.
SKIPPED = frozenset(
    """
    __main__ aifc antigravity asynchat asyncore audioop cgi cgitb chunk crypt distutils ensurepip genericpath
    idlelib imghdr imp lib2to3 mailcap msilib nis nntplib nt ntpath ossaudiodev pipes posix posixpath pydoc
    pydoc_data pyexpat smtpd sndhdr spwd sunau telnetlib test this tkinter turtle turtledemo uu venv xdrlib
    """.split()  # noqa: SIM905 - a list of words reads better as words
)
SKIPPED_INSIDE = frozenset({"__main__", "dummy", "test", "tests"})
PLATFORM = frozenset({"genericpath", "nt", "ntpath", "posix", "posixpath"})  # known as `os` and `os.path`
MEMBERS = (property, types.GetSetDescriptorType, types.MemberDescriptorType)


def modules(names: Iterator[str]) -> Iterator[tuple[str, types.ModuleType]]:
    """Import modules and, below packages, their public submodules; what cannot be imported here is left out."""
    for name in names:
        try:
            module = importlib.import_module(name)
        except (ImportError, OSError, SystemExit):
            continue
        yield name, module
        below = sorted(info.name for info in pkgutil.iter_modules(getattr(module, "__path__", [])))
        yield from modules(f"{name}.{b}" for b in below if not b.startswith("_") and b not in SKIPPED_INSIDE)


def own_docstring(thing: object) -> str:
    """Its docstring, not one inherited from a base class; empty if there is none."""
    text = vars(thing).get("__doc__") if isinstance(thing, type) else thing.__doc__
    return inspect.cleandoc(text).strip() if isinstance(text, str) else ""


def signature(thing: object) -> str:
    try:
        # Defaults that are objects print their address, and one is this interpreter's path: both differ between runs.
        return re.sub(r" at 0x[0-9a-fA-F]+", "", str(inspect.signature(thing)).replace(sys.executable, "python"))  # type: ignore[arg-type]
    except (TypeError, ValueError, AttributeError, NameError, SyntaxError):  # it evaluates text written in C modules
        return ""


def is_defined_in(name: str, module: types.ModuleType, thing: object, key: str) -> bool:
    """Whether `module` is where people import `thing` from, rather than one that merely uses it."""
    home = getattr(thing, "__module__", None) or name
    if home == name or home.lstrip("_") == name:
        return True
    exported = key in getattr(module, "__all__", ())
    return exported and (home.startswith("_") or home in PLATFORM or home.split(".")[0] == name.split(".")[0])


class Walk:
    """Visits every object once, the first public name winning."""

    def __init__(self) -> None:
        self.seen: set[int] = set()

    def first_visit(self, thing: object) -> bool:
        return id(thing) not in self.seen and not self.seen.add(id(thing))  # type: ignore[func-returns-value]

    def passage(self, name: str, kind: str, thing: object) -> Iterator[dict[str, str]]:
        text = own_docstring(thing)
        if text:
            title = name + signature(thing) if kind in ("function", "method") else name
            yield {"id": name, "title": title, "text": text, "kind": kind}

    def module(self, name: str, module: types.ModuleType) -> Iterator[dict[str, str]]:
        yield from self.passage(name, "module", module)
        prefix = "" if name == "builtins" else name + "."
        for key, thing in sorted(vars(module).items()):
            if key.startswith("_") or isinstance(thing, types.ModuleType):
                continue
            if not is_defined_in(name, module, thing, key):
                continue
            if isinstance(thing, type):
                if self.first_visit(thing):
                    yield from self.klass(prefix + key, thing)
            elif isinstance(thing, (types.FunctionType, types.BuiltinFunctionType)) or hasattr(thing, "__wrapped__"):
                if self.first_visit(thing):
                    yield from self.passage(prefix + key, "function", thing)

    def klass(self, name: str, owner: type) -> Iterator[dict[str, str]]:
        yield from self.passage(name, "class", owner)
        for key, thing in sorted(vars(owner).items()):
            if key.startswith("_"):
                continue
            if isinstance(thing, (staticmethod, classmethod)):
                thing = thing.__func__
            if isinstance(thing, type):
                nested = thing.__qualname__.startswith(owner.__qualname__ + ".")
                if nested and self.first_visit(thing):
                    yield from self.klass(f"{name}.{key}", thing)
            elif (callable(thing) or isinstance(thing, MEMBERS)) and self.first_visit(thing):
                yield from self.passage(f"{name}.{key}", "method", thing)


def main() -> None:
    warnings.simplefilter("ignore")
    walk = Walk()
    ids: set[str] = set()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        # `builtins` first: `str` and `open` are known by their bare names.
        names = ["builtins", "os.path", *sorted(sys.stdlib_module_names - SKIPPED - {"builtins"})]
        for name, module in modules(n for n in names if not n.startswith("_")):
            for row in walk.module(name, module):
                if row["id"] not in ids:
                    ids.add(row["id"])
                    sys.__stdout__.write(json.dumps(row) + "\n")  # type: ignore[union-attr]


if __name__ == "__main__":
    main()

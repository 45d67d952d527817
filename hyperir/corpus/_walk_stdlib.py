"""Print the docstrings of the running Python's standard library as JSON lines, sorted by id.

`pydoc.py` runs this file in an interpreter of its own (`python -I -S`): reading every docstring means importing every
module, and none of that should happen inside the caller's process. It imports nothing but the standard library.

One passage per module, class, function, method or property that has a docstring of its own. Its id is the name that a
programmer would type. All modules are imported before any name is chosen; of an object's names the best is, in order,

1. one in `WELL_KNOWN`;
2. a name in a module before a name in a class (`random.choice` is a method of a hidden `Random`);
3. a builtin's bare name (`open`, `OSError`);
4. one in the `__all__` of a module of the top-level package where the object says it is at home (`asyncio.gather`);
   one in that home itself (`_bisect` is `bisect`); one in the `__all__` of another module; one in a module without
   `__all__` if the home is private. No other name counts: using an object is not offering it;
5. the object's own name before an alias (`bisect_right` before `bisect`);
6. the one with fewer dots, then the one at home, the shorter, the first in the alphabet.

Members are named after their class: `array.array.append`, because the class is `array.array` rather than `ArrayType`.

Different objects share a passage if they have the same docstring and the same last part of the name: `bytearray.strip`
repeats `bytes.strip`. Its id is a well-known name, or else one in a module before one in a class, then as in 4, then
that of the class with the fewest bases, then as in 3 and 6. The same docstring under another last part stays:
`operator.inv` and `operator.invert` are looked for by different words.
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
from typing import NamedTuple

# Left out: programs rather than libraries, modules with effects on import, modules gone or going in later Pythons
# (so that a test set means the same on each), and the GUI ones, which many installations lack.
SKIPPED = frozenset(
    """
    __main__ aifc antigravity asynchat asyncore audioop cgi cgitb chunk crypt distutils ensurepip genericpath
    idlelib imghdr imp lib2to3 mailcap msilib nis nntplib nt ntpath nturl2path ossaudiodev pipes posix posixpath pydoc
    pydoc_data pyexpat smtpd sndhdr spwd sunau telnetlib test this tkinter turtle turtledemo uu venv xdrlib
    """.split()  # noqa: SIM905 - a list of words reads better as words
)
SKIPPED_INSIDE = frozenset({"__main__", "dummy", "test", "tests"})
CLOSED = frozenset({"encodings"})  # its modules are tables that nobody imports by name
PLATFORM = {"genericpath": "os.path", "nt": "os", "ntpath": "os.path", "posix": "os", "posixpath": "os.path"}
MEMBERS = (property, types.GetSetDescriptorType, types.MemberDescriptorType)
ROUTINES = (types.FunctionType, types.BuiltinFunctionType, types.MethodType)
FILLED_IN = frozenset({"An enumeration."})  # says nothing about the class that has it

# Where the rules would choose a name that the manual does not use.
WELL_KNOWN = frozenset(
    """
    asyncio.SelectorEventLoop asyncio.TaskGroup cProfile.run cProfile.runctx dis.stack_effect hmac.compare_digest
    logging.Logger.isEnabledFor selectors.DefaultSelector xml.etree.ElementTree.fromstring
    """.split()  # noqa: SIM905
)


class Name(NamedTuple):
    """A name of an object, with what the choice between names depends on; false and small are better."""

    unknown: bool  # not in WELL_KNOWN
    member: bool  # of a class, and neither a class nor in a module
    qualified: bool  # not a builtin's
    tier: int  # how good the module is as the place of this name
    alias: bool  # not the name that the object has for itself
    away: bool  # not where the object is at home
    depth: int  # how many classes the owner builds on, itself included; 0 outside classes
    name: str
    kind: str
    thing: object  # as it is found there: a bound method's signature has no `self`

    @property
    def place(self) -> tuple[bool | int | str, ...]:
        """Its place among the names of one object."""
        short = (self.name.count("."), self.away, len(self.name), self.name)
        return (self.unknown, self.member, self.qualified, self.tier, self.alias, *short)

    @property
    def shared_place(self) -> tuple[bool | int | str, ...]:
        """Its place among the names of objects that have one docstring."""
        short = (self.name.count("."), len(self.name), self.name)
        return (self.unknown, self.member, self.tier, self.depth, self.qualified, *short)


def modules(names: Iterator[str]) -> Iterator[tuple[str, types.ModuleType]]:
    """Import modules and, below packages, their public submodules; what cannot be imported here is left out."""
    for name in names:
        try:
            module = importlib.import_module(name)
        except (ImportError, OSError, SystemExit):
            continue
        yield name, module
        if name in CLOSED:
            continue
        below = sorted(info.name for info in pkgutil.iter_modules(getattr(module, "__path__", [])))
        yield from modules(f"{name}.{b}" for b in below if not b.startswith("_") and b not in SKIPPED_INSIDE)


def own_docstring(thing: object) -> str:
    """Its docstring, not one inherited from a base class nor filled in; empty if there is none."""
    text = vars(thing).get("__doc__") if isinstance(thing, type) else thing.__doc__
    text = inspect.cleandoc(text).strip() if isinstance(text, str) else ""
    return "" if text in FILLED_IN else text


def signature(thing: object) -> str:
    try:
        # Defaults that are objects print their address, and one is this interpreter's path: both differ between runs.
        return re.sub(r" at 0x[0-9a-fA-F]+", "", str(inspect.signature(thing)).replace(sys.executable, "python"))  # type: ignore[arg-type]
    except (TypeError, ValueError, AttributeError, NameError, SyntaxError):  # it evaluates text written in C modules
        return ""


def home(thing: object) -> str:
    """The module where it says it is defined, as the public would call it; empty if it does not say."""
    stated = getattr(thing, "__module__", None) or ""
    return PLATFORM.get(stated, stated.lstrip("_"))


class Walk:
    """Collects every name of every object, by the object's identity."""

    def __init__(self, found: dict[str, types.ModuleType]) -> None:
        self.modules = found
        self.names: dict[int, list[Name]] = {}

    def add(self, thing: object, name: Name) -> None:
        self.names.setdefault(id(thing), []).append(name)

    def tier(self, where: str, key: str, thing: object) -> int | None:
        """How good a module is as the place of a name, 0 to 3; None if it only imports the object for its own use."""
        if where == "builtins":
            return 0
        listed = getattr(self.modules[where], "__all__", None)
        at = home(thing)
        if listed is not None and key in listed:
            return 0 if where.split(".")[0] == at.split(".")[0] else 2
        if where == at:
            return 1
        return 3 if listed is None and at not in self.modules else None

    def module(self, where: str) -> None:
        """The names in a module, and its own."""
        module = self.modules[where]
        self.add(module, Name(True, False, True, 0, False, False, 0, where, "module", module))
        for key in sorted({*vars(module), *getattr(module, "__all__", ())}):  # a listed one may be made on demand
            thing = getattr(module, key, None)
            if key.startswith("_") or not (isinstance(thing, (type, *ROUTINES)) or is_wrapper(thing)):
                continue
            name = key if where == "builtins" else f"{where}.{key}"
            unknown = name not in WELL_KNOWN
            tier = self.tier(where, key, thing)
            if tier is None and unknown:
                continue
            kind = "class" if isinstance(thing, type) else "function"
            alias = key != getattr(thing, "__name__", key)
            away = where != home(thing)
            found = Name(unknown, False, where != "builtins", tier or 0, alias, away, 0, name, kind, thing)
            self.add(thing.__func__ if isinstance(thing, types.MethodType) else thing, found)

    def members(self, owner: type, within: Name) -> None:
        """The names in a class, and in the classes inside it."""
        for key, thing in sorted(vars(owner).items()):
            if key.startswith("_"):
                continue
            if isinstance(thing, (staticmethod, classmethod)):
                thing = thing.__func__
            name, path = f"{within.name}.{key}", f"{owner.__qualname__}.{key}"
            if isinstance(thing, type):
                if thing.__qualname__ == path and id(thing) not in self.names:
                    inside = within._replace(unknown=True, name=name, thing=thing)
                    self.add(thing, inside)
                    self.members(thing, inside)
            elif callable(thing) or isinstance(thing, MEMBERS):
                alias = path != getattr(thing, "__qualname__", path)
                depth = len(owner.__mro__)
                unknown = name not in WELL_KNOWN
                found = Name(unknown, True, within.qualified, within.tier, alias, False, depth, name, "method", thing)
                self.add(thing, found)

    def passages(self) -> Iterator[dict[str, str]]:
        """One for each object, docstring and name, in the order of the names."""
        for where in self.modules:
            self.module(where)
        for names in list(self.names.values()):
            chosen = min(names, key=lambda n: n.place)
            if isinstance(chosen.thing, type):
                self.members(chosen.thing, chosen)
        shared: dict[tuple[str, str], Name] = {}
        for names in self.names.values():
            chosen = min(names, key=lambda n: n.place)
            same = (own_docstring(chosen.thing), chosen.name.rpartition(".")[2])
            if same[0] and (same not in shared or chosen.shared_place < shared[same].shared_place):
                shared[same] = chosen
        ids: set[str] = set()
        # `unittest.main` is a class that hides a module: the name leads to the class.
        for (text, _), n in sorted(shared.items(), key=lambda item: (item[1].name, item[1].kind == "module")):
            if n.name not in ids:
                ids.add(n.name)
                title = n.name + signature(n.thing) if n.kind in ("function", "method") else n.name
                yield {"id": n.name, "title": title, "text": text, "kind": n.kind}


def is_wrapper(thing: object) -> bool:
    """Whether it stands for a function, as what `functools.lru_cache` returns does."""
    return callable(thing) and "__wrapped__" in getattr(thing, "__dict__", ())


def main() -> None:
    warnings.simplefilter("ignore")
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        names = sorted({"os.path", *(sys.stdlib_module_names - SKIPPED)})
        for row in Walk(dict(modules(n for n in names if not n.startswith("_")))).passages():
            sys.__stdout__.write(json.dumps(row) + "\n")  # type: ignore[union-attr]


if __name__ == "__main__":
    main()

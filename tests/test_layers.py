"""Imports flow one way: no room of the package needs one that needs it. Functions are short."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import thirdstream

ROOT = Path(thirdstream.__file__).parent
LONGEST = 40  # lines of a function's code
WINGS = ("mel", "notes")  # whose parts are rooms of their own


def room_of(parts: tuple[str, ...]) -> str:
    """A folder or a module at the top; in a wing, one of its folders or modules."""
    return "/".join(parts[: 2 if parts[0] in WINGS else 1])


def imported(module: Path) -> Iterator[str]:
    """The rooms that a module names, wherever in it."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(ROOT.name):
            for one in node.names:
                whole = (*node.module.split(".")[1:], one.name)
                place = ROOT.joinpath(*whole)
                is_module = place.is_dir() or place.with_suffix(".py").is_file()
                parts = whole if is_module else whole[:-1]
                if parts:
                    yield room_of(parts)


def test_no_room_needs_itself_by_a_detour() -> None:
    needs: dict[str, set[str]] = defaultdict(set)
    for module in ROOT.rglob("*.py"):
        parts = module.relative_to(ROOT).with_suffix("").parts
        room = room_of(tuple(part for part in parts if part != "__init__") or ("__init__",))
        needs[room] |= set(imported(module)) - {room}
    order = list(TopologicalSorter(needs).static_order())
    assert order.index("mel/features") < order.index("data") < order.index("mel/training")
    assert order.index("notes/types") < order.index("notes/io")


def test_the_wings_do_not_know_each_other() -> None:
    for wing, other in (WINGS, WINGS[::-1]):
        for module in (ROOT / wing).rglob("*.py"):
            assert not any(room.split("/")[0] == other for room in imported(module)), module


def n_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of its code: signature and docstring do not count."""
    has_docstring = ast.get_docstring(function, clean=False) is not None
    code = function.body[has_docstring:]
    return (code[-1].end_lineno or 0) - code[0].lineno + 1 if code else 0


def test_lines_of_code_are_counted() -> None:
    source = 'def f(\n  a,\n):\n  """Text,\n  more."""\n  # a remark\n  a = (\n   1)\n\n  return a'
    [function] = ast.parse(source).body
    assert isinstance(function, ast.FunctionDef)
    assert n_lines(function) == 4


def test_no_function_is_long() -> None:
    long = [
        f"{module.relative_to(ROOT)}:{node.lineno} {node.name} has {n_lines(node)}"
        for module in sorted(ROOT.rglob("*.py"))
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and n_lines(node) > LONGEST
    ]
    assert not long

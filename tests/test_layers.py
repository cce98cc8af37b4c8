"""Imports flow one way: no room of the package needs one that needs it."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import thirdstream

ROOT = Path(thirdstream.__file__).parent
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

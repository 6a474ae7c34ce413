"""The rooms and who may import whom: a walk over every import statement."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CORE = [
    path
    for path in (ROOT / "neuromorph").rglob("*.py")
    if not {"mapping", "models"} & set(path.relative_to(ROOT).parts)
]
COMPOSITION_ROOTS = {ROOT / "neuromorph" / "__main__.py", *(ROOT / "neuromorph" / "cli").glob("*.py")}
ROOMS = {
    **dict.fromkeys(CORE, "core"),
    **dict.fromkeys((ROOT / "mapping").rglob("*.py"), "mapping"),
    **dict.fromkeys((ROOT / "models").rglob("*.py"), "models"),
}
HEAVY = {"torch", "numba", "brian2", "nengo", "matplotlib", "pandas", "neo", "rich", "networkx", "h5py", "scipy"}


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and absolute module name of every import in a file, wherever it stands."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.lineno, node.module or ""
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


@pytest.mark.parametrize("path", sorted(ROOMS), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_only_what_its_room_may(path: Path) -> None:
    if path in COMPOSITION_ROOTS:
        return
    closed = {
        "core": ("neuromorph.mapping", "neuromorph.models", "neuromorph.cli"),
        "mapping": ("neuromorph.models", "neuromorph.mapping", "neuromorph.cli"),
        "models": ("neuromorph.mapping", "neuromorph.models", "neuromorph.cli"),
    }[ROOMS[path]]
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for line, name in imports(path)
        if name.startswith(closed) or name.split(".")[0] in ("mapping", "models", "tests", "examples")
    ]
    assert not wrong


def test_relative_imports_stay_in_their_room() -> None:
    for path, room in ROOMS.items():
        top = ROOT / ("neuromorph" if room == "core" else room)
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.level:
                assert path.parents[node.level - 1].is_relative_to(top), f"{path}:{node.lineno} leaves {room}/"


def test_import_is_light() -> None:
    script = "import sys, neuromorph; print(*sorted(m for m in sys.modules if '.' not in m))"
    loaded = set(
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    )
    assert not loaded & HEAVY


def test_every_package_lists_what_it_offers() -> None:
    for init in (path for path in ROOMS if path.name == "__init__.py"):
        tree = ast.parse(init.read_text())
        assert ast.get_docstring(tree), f"{init} has no docstring"
        names = {
            target.id
            for node in tree.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        imported = any(isinstance(node, ast.ImportFrom) for node in tree.body if node is not None)
        assert not imported or "__all__" in names, f"{init} imports names and has no __all__"

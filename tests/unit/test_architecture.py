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
COMPOSITION_ROOTS = {
    *(ROOT / "neuromorph" / name for name in ("__main__.py", "brian2.py")),
    *(ROOT / "neuromorph" / "cli").glob("*.py"),
}
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


@pytest.mark.parametrize("name", ["from_brian2", "from_nengo", "from_nir", "from_sonata"])
def test_front_ends_load_alone(name: str) -> None:
    """A front end that cannot be imported leaves the others as they are."""
    package = name.removeprefix("from_")
    others = [f"neuromorph.interchange.{other}" for other in ("brian2", "nengo", "nir", "sonata") if other != package]
    script = f"import sys; sys.modules.update(dict.fromkeys({others})); from neuromorph import {name}"
    subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)


def test_torch_is_imported_by_training_alone() -> None:
    """Networks, targets and models work where torch is not installed; a function that trains may import it.

    A model's own training is in a module that is called so, and that nothing imports which is there without torch.
    """
    for path, room in ROOMS.items():
        if room == "core" and "train" in path.relative_to(ROOT / "neuromorph").parts:
            continue
        if room == "models" and path.stem.endswith("_training"):
            continue
        at_import = [
            node.lineno
            for node in ast.walk(_without_functions(ast.parse(path.read_text())))
            if isinstance(node, ast.Import | ast.ImportFrom)
            and any(_needs_torch(name.split(".")) for name in _named(node))
        ]
        assert not at_import, f"{path.relative_to(ROOT)}: lines {at_import} import torch wherever the file is imported"


def _named(node: ast.Import | ast.ImportFrom) -> list[str]:
    """Modules that a statement may import."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [f"{node.module or ''}.{alias.name}" for alias in node.names]


def _needs_torch(parts: list[str]) -> bool:
    return parts[0] == "torch" or parts[:2] == ["neuromorph", "train"] or any(p.endswith("_training") for p in parts)


def _without_functions(tree: ast.Module) -> ast.Module:
    """What runs when a module is imported: no function bodies, no ``if TYPE_CHECKING``."""

    class Cut(ast.NodeTransformer):
        def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
            return None

        def visit_If(self, node: ast.If) -> ast.AST | None:
            return None if ast.unparse(node.test) == "TYPE_CHECKING" else self.generic_visit(node)

    cut = Cut().visit(tree)
    assert isinstance(cut, ast.Module)
    return cut


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

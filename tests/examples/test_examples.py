"""Every example runs, and prints what it promises."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SMALL = ["--neurons", "400", "--duration", "50"]
ARGUMENTS = {"balanced_network.py": [*SMALL, "--neurons-per-pe", "2"], "from_brian2.py": SMALL}
PROMISES = {
    "braille.py": "SpiNNaker2: 0 of 9728 hidden entries differ",
    "egru_decoder.py": "SpiNNaker2: 0 events differ",
    "balanced_network.py": "first difference between the CPU and the chips: none",
    "from_brian2.py": "not the same here: 0",
    "live_decoder.py": "0 of 1780 velocities differ from the replayed run; 0 from the checkpoint on",
}


def scripts() -> list[Path]:
    return sorted(EXAMPLES.glob("*.py"))


@pytest.mark.parametrize("script", scripts(), ids=lambda path: path.name)
def test_script(script: Path, tmp_path: Path) -> None:
    assert script.name in PROMISES, "say here what the new example prints"
    command = [sys.executable, str(script), *ARGUMENTS.get(script.name, [])]
    environment = {**os.environ, "MPLBACKEND": "agg"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert PROMISES[script.name] in done.stdout


@pytest.mark.parametrize("notebook", sorted(EXAMPLES.glob("*.ipynb")), ids=lambda path: path.name)
def test_notebook(notebook: Path, tmp_path: Path) -> None:
    import nbformat
    from nbclient import NotebookClient

    document = nbformat.read(notebook, as_version=4)
    NotebookClient(document, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    figures = [out for cell in document.cells for out in cell.get("outputs", []) if "image/png" in out.get("data", {})]
    assert figures, "a notebook shows at least one figure"

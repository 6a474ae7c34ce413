"""Every example runs, and prints what it promises."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import event_writers
import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SMALL = ["--neurons", "400", "--duration", "50"]
SPOTS = ["gestures", "--steps", "8", "--units", "32", "--features", "48", "--batch", "11"]
SPOTS += ["--epochs", "5", "--rate", "0.005"]
ARGUMENTS = {
    "balanced_network.py": [*SMALL, "--neurons-per-pe", "2"],
    "crossbar_braille.py": ["--touches", "20"],
    "crossbar_digits.py": ["nor_flash", "--images", "20"],
    "dvs_gesture.py": SPOTS,
    "language_model.py": ["compare"],
    "nengo_dynamics.py": ["--models", "oscillator", "--neurons", "30", "--duration", "0.2"],
    "nengo_learning.py": ["--neurons", "30", "--duration", "0.4"],
    "payloads.py": ["--touches", "8"],
    "pipeline.py": ["--images", "40", "--interval", "1600", "--fifos", "own"],
    "spark.py": ["--touches", "5", "--weights", "spark, trained under it"],
    "train_braille.py": ["egru", "--epochs", "1"],
    "train_digits.py": ["spiking", "--trained", "--images", "20"],
}
DATA = {"dvs_gesture.py": lambda folder: event_writers.dvs_gesture_of_spots(folder / "gestures")}
PROMISES = {
    "braille.py": "SpiNNaker2: 0 of 9728 hidden entries differ",
    "egru_decoder.py": "SpiNNaker2: 0 events differ",
    "egru_pipeline.py": "the chips: none\n\nbraille_egru on 1 chip, 12 PEs: 158 tokens",
    "balanced_network.py": "first difference between the CPU and the chips: none",
    "crossbar_braille.py": "ideal: 100.00% of 20",
    "crossbar_digits.py": "ideal                  1      0",
    "dvs_gesture.py": "first difference between the CPU and the chip: none",
    "language_model.py": "| EGRU, 95% pruned |",
    "nir_exchange.py": "the round trip: none\nfirst difference between the CPU and the chips: none",
    "nir_nmnist.py": "digit 4\nfirst difference between the CPU and the chips: none",
    "live_decoder.py": "0 of 1780 velocities differ from the replayed run; 0 from the checkpoint on",
    "nengo_dynamics.py": "not the same here: 0;",
    "nengo_learning.py": "spikes that are not the same: 0",
    "payloads.py": "float32  100.00%",
    "sonata_circuit.py": "first difference between the CPU and the chip: none",
    "pipeline.py": "interval 1,600 cycles, 265,625 items/s;",
    "spark.py": "│ spark, trained under it │ 10,849            │ 6   │",
    "train_braille.py": "first difference: none",
    "train_digits.py": "spiking, split 0, int8, CPU: 100.00% of 20",
}


def scripts() -> list[Path]:
    return sorted(EXAMPLES.glob("*.py"))


@pytest.mark.parametrize("script", scripts(), ids=lambda path: path.name)
def test_script(script: Path, tmp_path: Path) -> None:
    assert script.name in PROMISES, "say here what the new example prints"
    DATA.get(script.name, lambda folder: None)(tmp_path)
    done = run(script, ARGUMENTS.get(script.name, []), tmp_path)
    assert done.returncode == 0, done.stderr
    assert PROMISES[script.name] in done.stdout


def run(script: Path, arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(script), *arguments]
    environment = {**os.environ, "MPLBACKEND": "agg"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_gestures_without_the_data_set_say_what_to_give(tmp_path: Path) -> None:
    done = run(EXAMPLES / "dvs_gesture.py", ["nowhere"], tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("dvs_gesture: nowhere/trials_to_train.txt: no such file; give the folder of DVS128")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("notebook", sorted(EXAMPLES.glob("*.ipynb")), ids=lambda path: path.name)
def test_notebook(notebook: Path, tmp_path: Path) -> None:
    import nbformat
    from nbclient import NotebookClient

    document = nbformat.read(notebook, as_version=4)
    NotebookClient(document, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    figures = [out for cell in document.cells for out in cell.get("outputs", []) if "image/png" in out.get("data", {})]
    assert figures, "a notebook shows at least one figure"

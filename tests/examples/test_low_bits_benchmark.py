"""The benchmark of few bits, for an epoch: what it calls few bits is of few bits, and parts are kept beside others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from neuromorph import CPU, ms
from neuromorph.models import classifier
from neuromorph.network import uniform_grid

ROOT = Path(__file__).resolve().parents[2]
pytest.importorskip("torch")

pytestmark = pytest.mark.usefixtures("one_torch_thread")


@pytest.fixture
def low_bits(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, with its neighbours importable."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import low_bits

    return low_bits


@pytest.mark.parametrize("method", ["nor_flash", "lsq"])
def test_what_comes_back_is_of_few_bits(low_bits: ModuleType, method: str) -> None:
    task = replace(low_bits.TASKS["braille"], epochs=1)
    start = task.start(0)
    found = low_bits.fine_tuned(task, start, 0, 1, 3, low_bits.METHODS[method])
    network = low_bits.deployed(task, found, 3)
    for name, values in classifier.parameters(network).items():
        if name != "egru.theta":
            grid = uniform_grid(np.asarray(values, np.float32), 7)
            assert grid is not None, name
            assert np.abs(grid.codes).max() > 0, name
    model = dict(network["egru"].neuron.values)
    assert model["top"] == 7.0
    pressure = low_bits.TASKS["braille"].epoch(0, np.random.default_rng(0))
    inputs, _ = next(pressure)
    found = CPU(threads=1).compile(network, dt=1 * ms, progress=False).run_batch({"touch": inputs[:4]}, 40)
    assert int(found.counts["egru"].sum()) > 0


def test_parts_are_kept_beside_others(low_bits: ModuleType, tmp_path: Path) -> None:
    from low_bits_report import Noisy, Run, read, readme

    first = [Run("perceptron", "float", 32, 0, 0.97), Run("perceptron", "lsq", 4, 0, 0.96)]
    low_bits.keep(tmp_path, "perceptron", first, [])
    low_bits.keep(tmp_path, "noise", [], [Noisy(0, 0.1, 0.05, (0.9, 0.94))])
    low_bits.keep(tmp_path, "braille", [Run("braille", "float", 32, 0, 1.0), Run("braille", "tqt", 4, 0, 1.0)], [])
    result = read(tmp_path / "low_bits.json")
    assert [run.task for run in result.runs] == ["perceptron"] * 2 + ["braille"] * 2
    text = readme(result)
    assert "| 96.00% (-1.00) |" in text
    assert "92.00% (90.00%)" in text
    low_bits.keep(tmp_path, "perceptron", first[:1], [])
    assert len(read(tmp_path / "low_bits.json").runs) == 3

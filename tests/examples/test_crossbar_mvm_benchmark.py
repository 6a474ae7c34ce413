"""The benchmark of noisy products, at sizes that take no time: contestants compute the same, and it notices if not."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def mvm(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, with its neighbours importable."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):  # which the script sets
        monkeypatch.setenv(name, os.environ.get(name, "1"))
    import crossbar_mvm

    return crossbar_mvm


@pytest.mark.parametrize("rows", [64, 16])
def test_noisy_contestants_get_the_error_that_was_asked_for(mvm: ModuleType, rows: int) -> None:
    found = {row.name: row for row in mvm.race(mvm.task(64, 64, rows), 0.05, 1)}
    for name, row in found.items():
        if row.problem:
            assert "neuromorph" not in name
        elif "noise" in name:
            assert row.error == pytest.approx(0.05, rel=0.15), name
        elif "8 bits" in name:
            assert 0.009 < row.error < 0.02, name
        assert row.problem or 0 <= row.seconds < 60


def test_a_contestant_that_computes_something_else_shows(mvm: ModuleType) -> None:
    task = mvm.task(32, 8, 32)
    honest = mvm.CONTESTANTS[0]
    assert mvm.error(honest, task, honest.build(task, 0.0), 8) == 0.0
    assert mvm.error(honest, task, lambda x: 1.1 * (x @ task.weights), 8) == pytest.approx(0.1, rel=1e-3)


def test_solvers_agree_and_what_is_missing_is_named(mvm: ModuleType, tmp_path: Path) -> None:
    lines = mvm.currents(16)
    assert {line.solver for line in lines} == {"SciPy, sparse LU", "badcrossbar", "CrossSim, tolerance 1e-7"}
    for line in lines:
        assert f"{line.total:.6f}" == "65.793129"
        assert line.problem == "not installed" or line.difference < (1e-6 if "CrossSim" in line.solver else 1e-12)
    g = np.random.default_rng(0).random((9, 5)) * 1e-4
    import crossbar_solvers as solvers

    np.testing.assert_allclose(solvers.sparse(np.eye(9), g, 2.0), solvers.ours(np.eye(9), g, 2.0), rtol=1e-9)


def test_the_whole_script_writes_its_tables(mvm: ModuleType, tmp_path: Path) -> None:
    mvm.main(["--small", "--turns", "1", "--out", str(tmp_path)])
    text = (tmp_path / "crossbar_mvm.md").read_text()
    assert "neuromorph, read noise and wires" in text
    assert "65.793129" in text
    assert (tmp_path / "crossbar_mvm.json").exists()

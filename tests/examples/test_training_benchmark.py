"""The benchmark of training runs, at sizes that take no time: contestants compute the same, and it notices if not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
pytest.importorskip("torch")


@pytest.fixture
def training(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, with its neighbours importable."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import training

    return training


def tiny(training: ModuleType, name: str) -> Any:
    case, _ = training.CASES[name]
    return replace(case, parameters=case.parameters | {"inputs": 20, "units": 30, "batch": 3, "steps": 12})


def checked(module: ModuleType, case: Any, folder: Path, seed: int = 0) -> dict[str, np.ndarray]:
    from peers import Setup

    folder.mkdir()
    run = module.NETWORKS[f"{case.network}_check64"](case.parameters, Setup(threads=1, seed=seed, folder=folder)).run
    assert run(1).results["active"] > 0.01
    with np.load(folder / "check.npz") as arrays:
        return dict(arrays)


@pytest.mark.parametrize("name", ["egru", "lif"])
def test_module_and_hand_written_loop_give_the_same_gradients(training: ModuleType, name: str, tmp_path: Path) -> None:
    from peers import torch_egru, train_ours

    case = tiny(training, name)
    ours, hand = (checked(m, case, tmp_path / m.__name__) for m in (train_ours, torch_egru))
    assert {"y", "kernel", "recurrent"} <= set(ours)
    for key, value in ours.items():
        np.testing.assert_allclose(value, hand[key], rtol=0, atol=1e-12 * np.abs(hand[key]).max(), err_msg=key)
    other = checked(torch_egru, case, tmp_path / "other", seed=1)
    assert np.abs(other["kernel"] - hand["kernel"]).max() > 0.1 * np.abs(hand["kernel"]).max()


def test_turns_and_report(training: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from engine_report import machine
    from peers import Peer
    from training_report import JOBS, Result, page, read, summary, write

    monkeypatch.setattr(training, "SCRATCH", tmp_path)
    monkeypatch.setattr(training, "TURN", 0.0)
    case = tiny(training, "lif")
    absent = Peer("absent", "Absent", "no_such_package", ("lif",))
    broken = Peer("no_such_module", "Broken", "numpy", ("lif",))
    job = training.race(case, "optimiser", (*training.PEERS[:2], absent, broken), 2, 1)
    assert [len(row.times) for row in job.rows] == [2, 2, 0, 0]
    assert job.row("absent").failed == "not installed"
    assert "No module named 'peers.no_such_module'" in job.row("no_such_module").failed
    assert job.ratio == pytest.approx(job.rows[0].median / job.rows[1].median)

    found = training.Found(case.name, case.title, {"float64": {"y": 0.0}}, (job,))
    result = Result(machine(), 1, (found,))
    write(result, tmp_path / "out")
    assert read(tmp_path / "out" / "training.json") == result
    assert summary(result) in (tmp_path / "out" / "training.md").read_text() == page(result)
    assert JOBS["optimiser"] in summary(result)


def test_layers_that_differ_are_not_timed(training: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    class Worker:
        """Answers without a process; its two contestants differ in a gradient."""

        def __init__(self, peer: Any) -> None:
            self.folder, self.peer = Path("unused"), peer

        def build(self) -> str:
            return ""

        def run(self, times: float) -> dict[str, float]:
            return {}

        def stop(self) -> None:
            pass

    class Arrays(dict[str, np.ndarray]):
        """What a file gives."""

        def __enter__(self) -> Arrays:
            return self

        def __exit__(self, *_: object) -> None:
            pass

    values = iter([1.0, 1.01])
    monkeypatch.setattr(training, "process", lambda peer, case, job, threads: Worker(peer))
    monkeypatch.setattr(training.np, "load", lambda _: Arrays(kernel=np.array([next(values)])))
    with pytest.raises(SystemExit, match=r"float32: kernel differs by 0\.0099"):
        training.compare(tiny(training, "lif"), 1)

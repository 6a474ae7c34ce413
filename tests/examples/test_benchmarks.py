"""The benchmark of the CPU engine runs, at sizes that take no time, and its report says what it found."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
TINY: dict[str, dict[str, float]] = {
    "cuba": {"n": 200, "probability": 0.2},
    "cobahh": {"n": 100, "probability": 0.2},
    "brunel": {"n": 200, "in_degree": 20, "weight": 0.5},
    "stdp": {"inputs": 40, "n": 50, "probability": 0.5, "w_max": 8.0},
    "egru": {"inputs": 30, "units": 40, "threshold": 0.2},
}


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, with its neighbours importable."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import engine

    return engine


def case_of(engine: ModuleType, network: str) -> Any:
    case = next(case for case in engine.CASES if case.network == network)
    return case.smaller(0.05, **TINY[network])


@pytest.mark.parametrize("network", TINY)
def test_every_network_runs_on_our_engine(engine: ModuleType, network: str, tmp_path: Path) -> None:
    from peers import Setup, ours

    case = case_of(engine, network)
    run = ours.NETWORKS[network](case.parameters, Setup(threads=1, seed=0, folder=tmp_path)).run
    results = [dict(run(case.seconds).results) for _ in range(2)]
    assert all(np.isfinite(value) for each in results for value in each.values())
    assert any(value > 0 for each in results for value in each.values())
    again = ours.NETWORKS[network](case.parameters, Setup(threads=2, seed=0, folder=tmp_path)).run
    assert [dict(again(case.seconds).results) for _ in range(2)] == results


def test_every_case_has_a_network_here(engine: ModuleType) -> None:
    from peers import PEERS, ours

    assert {case.network for case in engine.CASES} == set(ours.NETWORKS) == set(TINY)
    names = {peer.name for peer in PEERS}
    for case in engine.CASES:
        assert {key.split("-")[0] for key in case.left_out} <= names
    assert all((ROOT / "benchmarks" / "peers" / f"{name}.py").exists() for name in names)


def test_dense_egru_fires_as_ours_does(engine: ModuleType, tmp_path: Path) -> None:
    from peers import Setup, numpy_dense, ours_float32

    parameters = case_of(engine, "egru").parameters | {"units": 200}
    setup = Setup(threads=1, seed=3, folder=tmp_path)
    ours, dense = (m.NETWORKS["egru"](parameters, setup).run(0.4).results for m in (ours_float32, numpy_dense))
    assert 0.02 < dense["active"] < 0.5
    assert ours["active"] == pytest.approx(dense["active"], rel=0.03)


def test_turns_agreement_and_report(engine: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from engine_report import Result, machine, page, read, summary, write
    from peers import PEERS, Peer

    monkeypatch.setattr(engine, "SEEDS", 2)
    case = case_of(engine, "egru")
    ours, dense = (next(p for p in PEERS if p.name == name) for name in ("ours", "numpy_dense"))
    absent = Peer("absent", "Absent", "no_such_package", ("egru",))
    broken = Peer("no_such_module", "Broken", "numpy", ("egru",), threaded=False)
    measured = engine.measure(case, (ours, replace(dense, threaded=False), absent, broken), 2, tmp_path / "builds")
    rows = {(row.peer, row.threads): row for row in measured.rows}
    assert [len(rows[key].times) for key in (("ours", 0), ("ours", 1), ("numpy_dense", 1))] == [2, 2, 2]
    assert rows["absent", 0].failed == "not installed"
    assert "No module named 'peers.no_such_module'" in rows["no_such_module", 1].failed
    assert rows["ours", 0].results == rows["ours", 1].results
    assert measured.fastest is rows["numpy_dense", 1]

    result = Result(machine(), (measured,), None)
    write(result, tmp_path / "out")
    assert read(tmp_path / "out" / "engine.json") == result
    assert summary(result) in (tmp_path / "out" / "engine.md").read_text() == page(result)
    assert (tmp_path / "out" / "engine.png").stat().st_size > 10_000
    assert len((tmp_path / "out" / "engine.csv").read_text().splitlines()) == 1 + 6
    json.loads((tmp_path / "out" / "engine.json").read_text())


def test_results_agree_within_the_spread_over_seeds(engine: ModuleType) -> None:
    case = replace(case_of(engine, "cuba"), tolerances={"weight": 0.5})
    expected = {"exc": (5.0, 0.5), "weight": (1.0, 0.0)}
    assert engine.agrees(case, {"exc": 6.8, "weight": 1.4}, expected)
    assert not engine.agrees(case, {"exc": 6.9, "weight": 1.0}, expected)
    assert not engine.agrees(case, {"exc": 5.0, "weight": 1.6}, expected)

"""The energy benchmark of the crossbar machines: what it promises of published figures, and its tables."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, with its neighbours importable."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import crossbar_energy

    return crossbar_energy


def test_isaac_is_within_a_quarter_of_what_is_published(benchmark: ModuleType) -> None:
    rows = list(benchmark.isaac())
    assert max(abs(row.deviation) for row in rows) < 0.25, [(row.quantity, row.deviation) for row in rows]


def test_read_modes_rank_as_by_hand(benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    from crossbar_energy_report import FACTS, MODES

    monkeypatch.setattr(benchmark, "DENSITIES", (0.1, 0.01))
    for mode in benchmark.read_modes(400):
        by_hand = dict(zip(MODES, FACTS[mode.density], strict=True))
        for name in ("row-gated", "tile-skip, 8 bits", "tile-skip"):
            assert mode.picojoules[name] == pytest.approx(by_hand[name], rel=0.15), name
        dense, gated, skipped, adaptive, comparator = (mode.picojoules[name] for name in MODES)
        assert dense > gated >= skipped > adaptive > comparator
        assert mode.picojoules["comparator"] > comparator, "pulses cost"


def test_a_product_is_counted_without_the_step_in_which_nothing_arrives(benchmark: ModuleType) -> None:
    from crossbar_product import product

    m = benchmark.load_machine("isaac")
    weights = benchmark.random_weights(128, 16)
    found = product(m, weights, np.ones((3, 128)))
    assert found.counts.steps == found.counts.reads.sum() == 3
    assert found.counts.conversions.sum() == 3 * 128
    assert found.of("ADCs") == pytest.approx(128 * 1.667e-12)
    assert found.macs == 2048


def test_the_report_tells_ranges_and_reads_what_it_wrote(benchmark: ModuleType, tmp_path: Path) -> None:
    from crossbar_energy_report import HEADLINES, MODES, Mode, Result, Row, page, read, readme, write

    row = Row(*HEADLINES[0], "pJ", (2.0, 4.0), 5.0, "parts", "why")
    assert row.deviation == pytest.approx(0.25)
    assert Row(*HEADLINES[0], "pJ", (2.0, 4.0), 1.0, "parts", "").deviation == pytest.approx(-0.5)
    inside = Row("ISAAC", "other", "", (2.0, 4.0), 3.0, "calibrated", "as told")
    result = Result((row, inside), (Mode(0.1, dict.fromkeys([*MODES, "comparator"], 7.0)),))
    write(result, tmp_path)
    assert read(tmp_path / "crossbar_energy.json") == result
    assert "| 2 to 4 pJ | 5 pJ | +25.0% | sum of published parts |" in readme(result)
    assert "other" not in readme(result)
    assert "| 2 to 4 | 3 | inside | calibrated to it | as told |" in page(result)


def test_every_headline_is_a_row_of_the_stored_result(benchmark: ModuleType) -> None:
    from crossbar_energy_report import HEADLINES, RESULTS, read

    stored = {(row.machine, row.quantity) for row in read(RESULTS / "crossbar_energy.json").rows}
    assert set(HEADLINES) <= stored

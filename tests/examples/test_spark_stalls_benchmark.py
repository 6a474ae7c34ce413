"""The benchmark of waiting runs, writes what it prints, and its ends are those that need no simulation."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import spark_stalls

    return spark_stalls


def test_writes_what_it_prints(benchmark: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    benchmark.main(["--size", "4", "--depth", "60", "--out", str(tmp_path)])
    assert (tmp_path / "spark_stalls.md").read_text().strip() == capsys.readouterr().out.strip()
    assert (tmp_path / "spark_stalls.png").stat().st_size > 1000
    found = json.loads((tmp_path / "spark_stalls.json").read_text())
    for mode, short, long in (("one 4-bit multiplier", 1, 4), ("two 8-bit or four 4-bit operands", 0.5, 1)):
        for cycles in found["cycles"][mode].values():
            assert (cycles[0], cycles[-1]) == pytest.approx((short, long))


def test_results_are_of_this_script(benchmark: ModuleType) -> None:
    """A stored figure is what the script gives today."""
    stored = json.loads((ROOT / "benchmarks" / "results" / "spark_stalls.json").read_text())
    share = benchmark.SHARES.index(0.28)
    ways = stored["cycles"]["one 4-bit multiplier"]
    for way in ("nobody waits", "rows wait"):
        again = benchmark.cycles_of_a_product(benchmark.WAYS[way], 0.28, stored["size"], stored["depth"])
        assert ways[way][share] == pytest.approx(again, rel=1e-12)


def test_documentation_has_the_table() -> None:
    table = (ROOT / "benchmarks" / "results" / "spark_stalls.md").read_text()
    page = (ROOT / "docs" / "systolic.md").read_text()
    cells = [line.split("|")[1:-1] for line in table.splitlines() if line.startswith("| ")][1:]
    for way, *cycles in cells:
        assert "|".join(["", way, *cycles, ""]) in page

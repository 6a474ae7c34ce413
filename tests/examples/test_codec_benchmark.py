"""The benchmark of the number formats runs on few numbers, and what it counts is right."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def codec(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import codec

    return codec


def test_it_runs_and_counts(
    codec: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = tmp_path / "codec.json"
    monkeypatch.setattr("sys.argv", ["codec.py", "--values", "20000", "--turns", "1", "--json", str(found)])
    codec.main()
    results = json.loads(found.read_text())["results"]
    assert capsys.readouterr().out.count("zlib level 1") == len(results) == 5
    for rows in results.values():
        assert all(row["encode"] > 0 and row["decode"] > 0 for row in rows.values())
        assert rows["int4, float32"]["bits"] == 4
        assert rows["SPARK, signed int16"]["bits"] == pytest.approx(rows["SPARK, bytes"]["bits"] + 1)
    assert results["all short"]["SPARK, bytes"]["bits"] == 4
    assert results["all long"]["SPARK nearest, bytes"]["bits"] == 8
    assert results["uniform"]["SPARK, bytes"]["bits"] == pytest.approx(7.875, abs=0.03)
    assert results["Laplace, 80 % short"]["SPARK, bytes"]["bits"] == pytest.approx(4.8, abs=0.03)

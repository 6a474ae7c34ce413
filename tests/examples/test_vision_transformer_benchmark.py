"""The benchmark of the vision transformer: what it counts, and that the stored page is what its numbers say."""

from __future__ import annotations

from math import sqrt
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytest.importorskip("torch")


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, with its neighbours importable."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import vision_transformer_report

    return vision_transformer_report


def test_scores_are_over_all_images_and_changes_over_those_that_differ(report: ModuleType) -> None:
    rows = [report.Row(0, "3", "full", 100, 90, 6, 1), report.Row(1, "3", "full", 100, 80, 4, 1)]
    assert report.score(rows) == pytest.approx((0.85, sqrt(0.85 * 0.15 / 200)))
    mean, error = report.change(rows)
    assert mean == pytest.approx(-0.04)
    assert error == pytest.approx(sqrt((12 / 200 - 0.04**2) / 200))
    same = [report.Row(0, "3", "full", 100, 90, 0, 0)]
    assert report.change(same) == (0, 0)


def test_the_page_sets_differences_beside_the_papers(report: ModuleType) -> None:
    rows = (
        report.Row(0, "float", "torch", 100, 98),
        report.Row(0, "3", "torch", 100, 95, 3, 0),
        report.Row(0, "3", "full", 100, 94, 2, 1),
        report.Row(0, "3", "no_inverted_exp", 100, 50, 44, 0),
    )
    page = report.page(report.Result({"date": "2026-11-22", "python": "3.11"}, 256, rows))
    assert "1 random split, each with 8,000" in page
    assert "| 3 bits | 95.00% ± 2.18 | -3.00 ± 1.71 | 94.00% ± 2.37 | -1.00 ± 1.73 |" in page
    assert "| 3 | exponential not inverted | 50.00% ± 5.00 | -44.00 ± 4.96 | 28.80% | -42.25 |" in page
    assert report.compared_with(rows[3]) == ("3", "full")
    assert report.compared_with(rows[2]) == ("3", "torch")
    assert report.compared_with(rows[1]) == ("float", "torch")

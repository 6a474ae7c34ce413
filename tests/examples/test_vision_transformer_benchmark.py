"""The benchmark of the vision transformer: what it counts, and that the stored page is what its numbers say."""

from __future__ import annotations

from math import sqrt
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from neuromorph.models import digits
from neuromorph.models.vision_transformer import load, patches

ROOT = Path(__file__).resolve().parents[2]
pytest.importorskip("torch")
from neuromorph.models.vision_transformer_training import module_of, told  # noqa: E402


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, with its neighbours importable."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import vision_transformer_report

    return vision_transformer_report


@pytest.fixture
def benchmark(report: ModuleType) -> ModuleType:
    import vision_transformer

    return vision_transformer


def test_changes_are_counted_image_by_image(report: ModuleType) -> None:
    right = np.array([[1, 1, 0, 0], [1, 0, 0, 0]], bool)
    other = np.array([[1, 1, 1, 0], [1, 1, 0, 0]], bool)
    row = report.row_of(0, "3", "full", right, other)
    assert (row.images, row.draws, row.accuracy, row.least, row.most) == (4, 2, 0.375, 0.25, 0.5)
    assert row.error == pytest.approx(np.std([1, 0.5, 0, 0]) / 2)
    assert row.change == pytest.approx(-0.25)
    assert row.change_error == pytest.approx(np.std([0, -0.5, -0.5, 0]) / 2)
    two = [row, report.row_of(1, "3", "full", right, right)]
    assert report.score(two) == pytest.approx((0.375, row.error / sqrt(2)))
    assert report.change(two) == pytest.approx((-0.125, row.change_error / 2))
    assert report.compared_with("3", "no_inverted_exp") == ("3", "full")
    assert report.compared_with("3", "full") == ("3", "torch")
    assert report.compared_with("3", "torch") == ("float", "torch")


@pytest.mark.usefixtures("one_torch_thread")
def test_integers_are_the_network_that_was_trained(
    report: ModuleType, benchmark: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On 200 images: a network in integers tells what its twin in PyTorch tells, all but a few."""
    images, count = digits.images()[0], 200
    held_out = images[digits.split(0)[1][:count]]
    assert set(benchmark.LEFT_OUT) == set(report.VARIANTS)
    monkeypatch.setattr(benchmark, "VARIANTS", ["full", "no_inverted_exp"])
    monkeypatch.setattr(benchmark, "CALIBRATION", 8)
    weights = load(4)
    network = benchmark.integers(weights, images[digits.split(0)[0][:32]], "full")
    found = network.run(patches(held_out)).argmax(1)
    assert (found == told(module_of(weights), held_out)).mean() > 0.93
    rows = benchmark.scored(0, {"float": load(), "3": load(3)}, 2, 20)
    assert [row.variant for row in rows] == ["torch", "torch", "full", "no_inverted_exp"]
    assert {row.images for row in rows} == {20}
    report.write(report.Result({"date": "today", "python": "3.11"}, 256, tuple(rows)), tmp_path)
    text = (tmp_path / "vision_transformer.md").read_text()
    assert report.page(report.read(tmp_path / "vision_transformer.json")) == text
    line = next(line for line in text.splitlines() if line.startswith("| 3 | exponential not inverted |"))
    assert line.endswith("| 28.80% | -42.25 |")
    assert f"| 3 bits | {rows[1].accuracy:.2%} ± " in text


def test_the_stored_page_is_of_every_network_and_variant(report: ModuleType) -> None:
    folder = ROOT / "benchmarks" / "results"
    stored = report.read(folder / "vision_transformer.json")
    assert (folder / "vision_transformer.md").read_text() == report.page(stored)
    for precision in ("8", "4", "3"):
        assert report.found(stored, precision, "torch")
        for variant in report.VARIANTS:
            assert report.found(stored, precision, variant), (precision, variant)
        # what the page says of finer tables
        fine, trained = (report.score(report.found(stored, precision, name))[0] for name in ("fine_tables", "torch"))
        assert abs(fine - trained) < 0.005

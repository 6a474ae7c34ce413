"""The benchmark of programming runs, on small arrays, and its page tells what it found."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script with small arrays, its neighbours importable."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import crossbar_program

    monkeypatch.setattr(crossbar_program, "SIDE", 64)
    monkeypatch.setattr(crossbar_program, "TURNS", 1)
    return crossbar_program


def test_the_page_has_every_step_and_every_device_that_drifts(script: ModuleType) -> None:
    result = {
        "machine": script.computer(),
        "arrays": 2,
        "programming": script.programming(2),
        "aihwkit": {"neuromorph": 0.5, "AIHWKIT": 0.25},
        "states": {"sonos_40nm": script.states("sonos_40nm")},
    }
    assert all(seconds > 0.0 for seconds in result["programming"].values())
    page = script.page(result)
    assert all(f"| {step} |" in page for step in script.STEPS)
    assert "500 ms, AIHWKIT on one thread 250 ms" in page
    assert page.count("| `sonos_40nm` |") == 3
    mean, sd = result["states"]["sonos_40nm"]["1 year"][2]
    assert mean == pytest.approx(-7.4, abs=0.5)
    assert sd == pytest.approx(3.65, abs=0.3)
    assert f"({mean:+.2f}, {sd:.2f})" in page  # later than was measured

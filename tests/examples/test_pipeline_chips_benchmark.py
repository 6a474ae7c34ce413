"""The benchmark of schedules on chips: a case as it stands, beside those that are kept."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def pipeline_chips(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, with its neighbours importable."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import pipeline_chips

    return pipeline_chips


def test_a_case_gives_the_stored_figures_and_leaves_the_others(
    pipeline_chips: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stored = json.loads((pipeline_chips.RESULTS / "pipeline_chips.json").read_text())
    assert list(stored) == list(pipeline_chips.cases())
    (tmp_path / "pipeline_chips.json").write_text(json.dumps({"trained": stored["trained"]}))
    pipeline_chips.main(["decoder", "--out", str(tmp_path)])
    found = json.loads((tmp_path / "pipeline_chips.json").read_text())
    assert list(found) == ["trained", "decoder"]
    assert found["trained"] == stored["trained"]
    for name, each in found["decoder"]["schedules"].items():
        for what in ("interval", "paced_latency", "joules"):
            assert each[what] == pytest.approx(stored["decoder"]["schedules"][name][what]), (name, what)
    text = capsys.readouterr().out
    assert "EGRU decoder" in text
    assert "170.25 ms, 0.0653 J, 0.39 W" in text
    assert "Assumption, as the unit is not stated: that is a sequence of 70 tokens" in text
    with pytest.raises(SystemExit):
        pipeline_chips.main(["decodr", "--out", str(tmp_path)])
    assert "no case decodr; there is language_model" in capsys.readouterr().err


def test_overlapping_layers_answer_sooner_and_not_much_slower(pipeline_chips: ModuleType) -> None:
    stored = json.loads((pipeline_chips.RESULTS / "pipeline_chips.json").read_text())
    text = (pipeline_chips.RESULTS / "pipeline_chips.md").read_text()
    for case in stored.values():
        layers, steps, flow = case["schedules"].values()
        assert flow["interval"] < layers["interval"]
        assert flow["interval"] < 1.1 * steps["interval"]
        assert f"{flow['throughput']:,.4g}" in text
        # no token is through before each stage in turn could have done its work
        assert flow["paced_latency"] > layers["paced_latency"]
    for name in ("language_model", "language_model_layers", "language_model_2", "language_model_4", "trained"):
        _, steps, flow = stored[name]["schedules"].values()
        assert flow["paced_latency"] < 0.7 * steps["paced_latency"]

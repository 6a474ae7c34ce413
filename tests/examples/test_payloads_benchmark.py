"""The benchmark of payloads, for a few steps: its tables say what it measured, and parts are kept beside others."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def payloads(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, with its neighbours importable."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import payloads

    return payloads


def test_a_case_is_measured_beside_those_that_are_kept(
    payloads: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stored = json.loads((ROOT / "benchmarks" / "results" / "payloads.json").read_text())
    assert list(stored) == list(payloads.CASES)
    (tmp_path / "payloads.json").write_text(json.dumps({"language_model": stored["language_model"]}))
    payloads.main(["decoder", "--steps", "60", "--out", str(tmp_path)])
    found = json.loads((tmp_path / "payloads.json").read_text())
    assert found["language_model"] == stored["language_model"]
    assert found["decoder"]["quality"]["float32"] == 0 < found["decoder"]["quality"]["spark"]
    text = capsys.readouterr().out
    assert text.strip() == (tmp_path / "payloads.md").read_text().strip()
    assert f"{found['decoder']['events']:,} events" in text
    with pytest.raises(SystemExit):
        payloads.main(["decodr", "--out", str(tmp_path)])
    assert "no case decodr; there is decoder" in capsys.readouterr().err


def test_the_page_has_the_stored_figures(payloads: ModuleType) -> None:
    stored = json.loads((ROOT / "benchmarks" / "results" / "payloads.json").read_text())["language_model"]
    page = (ROOT / "docs" / "payloads.md").read_text()
    for outcome in stored["outcomes"]:
        name, errors = outcome["encoding"], outcome["errors"]
        rows = [line for line in page.splitlines() if line.startswith(f"| {name} | {outcome['packets']:,} |")]
        for row in rows:
            cells = [cell.strip() for cell in row.strip("|").split("|")]
            sqnr = "exact" if errors["sqnr_db"] is None else f"{errors['sqnr_db']:.1f} dB"
            assert cells[2:] == [
                f"{outcome['sent_bits'] / stored['events']:.1f}",
                f"{outcome['link_time'] * 1e9:,.0f} ns",
                f"{outcome['energy'] * 1e9 / stored['events']:.1f}",
                sqnr,
                f"{stored['quality'][name.split('/')[0]]:.1f}",
            ]
        assert rows or name not in page.split("on 9 PEs, 2,000 words")[1]

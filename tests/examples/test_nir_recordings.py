"""What the page on NIR says of recordings is what the benchmark stored, and what it finds."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STORED = ROOT / "benchmarks" / "results" / "nir_recordings.json"


@pytest.mark.parametrize("name", ["nir_recordings.md", "nir_snntorch.md", "nir_rockpool.md"])
def test_the_page_has_the_stored_table(name: str) -> None:
    assert (STORED.parent / name).read_text() in (ROOT / "docs" / "nir.md").read_text()


def test_a_file_gives_what_was_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import nir_recordings

    stored = json.loads(STORED.read_text())
    assert [row["file"] for row in stored] == [case.file.name for case in nir_recordings.CASES]
    assert asdict(nir_recordings.measure(nir_recordings.CASES[0])) == stored[0]

"""The language model's commands, one after the other, at a small size."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "language_model.py"
SMALL = ["--words", "2500", "--epochs", "1", "--threads", "1"]


def test_the_table_in_the_data_readme_is_what_compare_prints(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [SCRIPT.name, "compare"])
    script = runpy.run_path(str(SCRIPT))
    script["main"]()
    printed = capsys.readouterr().out
    assert len(printed.splitlines()) > 5
    assert printed in script["COMMITTED"].with_name("README.md").read_text()


def test_train_prune_evaluate_and_compare(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch

    main = runpy.run_path(str(SCRIPT))["main"]
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", [SCRIPT.name, *arguments])
        threads, precision = torch.get_num_threads(), torch.get_float32_matmul_precision()
        try:
            main()
        finally:
            torch.set_num_threads(threads)
            torch.set_float32_matmul_precision(precision)
        return capsys.readouterr().out

    run("train", *SMALL)
    run("prune", "--model", "out/egru.h5", "--sparsity", "0.95", *SMALL)
    dense, pruned = (json.loads((tmp_path / "out" / f"{name}.json").read_text()) for name in ("egru", "egru_pruned"))
    assert 1 < dense["test_perplexity"] < 40_000
    assert dense["layer_nonzero"] > 0.99 * dense["layer_parameters"]
    # biases and thresholds are not pruned
    assert pruned["layer_nonzero"] < 0.06 * pruned["layer_parameters"]
    assert (tmp_path / "out" / "egru_pruned.h5").stat().st_size < (tmp_path / "out" / "egru.h5").stat().st_size / 10
    metrics = [json.loads(line) for line in (tmp_path / "out" / "egru.jsonl").read_text().splitlines()]
    assert metrics[-1]["epoch"] == 1
    found = run("evaluate", "--model", "out/egru_pruned.h5", "--words", "150")
    assert "  against pytorch: the first difference" in found or found.count("bit for bit") == 6
    for other in ("ordered", "cpu"):
        assert f"  against {other}: all" in found
    assert len({line.split()[2] for line in found.splitlines() if "perplexity" in line}) <= 2
    rows = run("compare", "--folder", "out").splitlines()
    assert len({row.count("|") for row in rows}) == 1
    assert any(row.startswith("| EGRU, 95% pruned |") for row in rows)

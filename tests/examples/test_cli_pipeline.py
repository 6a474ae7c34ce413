"""``neuromorph pipeline`` on the command line, on a design of one small block."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from neuromorph.__main__ import main

SIZES = {"tokens": 4, "channels": 6, "heads": 3, "blocks": 1, "hidden": 12, "patch_inputs": 4, "classes": 4}


@pytest.fixture(scope="module")
def design(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published design with a smaller shape, and as little parallelism as it can have."""
    path = Path(__file__).resolve().parents[2] / "mapping" / "machines" / "hgpipe_deit_tiny_vck190.toml"
    text = path.read_text(encoding="utf-8")
    for name, size in SIZES.items():
        text = re.sub(rf"^{name} = {{ value = \d+", f"{name} = {{ value = {size}", text, flags=re.M)
    text = re.sub(r'^("(?:patch_embed|attn|mlp)\.\w+" = { value =) \[2, .*?\]', r"\1 [2, 1, 1]", text, flags=re.M)
    text = re.sub(r'^("head\.\w+" = { value =) \[1, .*?\]', r"\1 [1, 1, 1]", text, flags=re.M)
    small = tmp_path_factory.mktemp("design") / "small.toml"
    small.write_text(text, encoding="utf-8")
    return small


def test_a_design_is_simulated_and_shown(design: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {"--trace": tmp_path / "a" / "t.json", "--csv": tmp_path / "t.csv", "--figure": tmp_path / "t.png"}
    given = [text for option, path in files.items() for text in (option, str(path))]
    assert main(["pipeline", str(design), "--items", "2", "--level", "block", *given]) == 0
    printed = capsys.readouterr().out
    assert "2 items simulated" in printed
    assert "a second" in printed, "at the clock of the design"
    assert "attn0.softmax" in printed
    assert all(str(path) in printed for path in files.values())
    events = json.loads(files["--trace"].read_text())["traceEvents"]
    assert sum(event["ph"] == "X" for event in events) == 2 * 4, "patch embedding, attention, perceptron, head"
    assert any(event["ph"] == "C" for event in events)
    assert len(files["--csv"].read_text().splitlines()) == 1 + 2 * 4
    assert files["--figure"].read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("schedule", ["hybrid", "fine", "coarse"])
def test_each_schedule_has_its_numbers(design: Path, schedule: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pipeline", str(design), "--schedule", schedule, "--items", "2", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["items"] == 2
    assert (content["memory"]["tensors"] > 0) == (schedule == "coarse")
    assert content["clock"] == 425e6
    assert content["energy"]["board"] == "vck190"


def test_all_schedules_are_compared(design: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drawn = tmp_path / "all.png"
    assert main(["pipeline", str(design), "--schedule", "all", "--figure", str(drawn)]) == 0
    printed = capsys.readouterr().out
    assert str(drawn) in printed
    assert drawn.read_bytes().startswith(b"\x89PNG")
    assert all(re.search(rf"^{name} +\d", printed, re.M) for name in ("hybrid", "fine", "fine 64", "coarse"))
    assert "824,843" in printed
    assert main(["pipeline", str(design), "--schedule", "all", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["schedules"]) == 4


def test_a_design_is_run_by_its_own_rules_beside_what_was_published(
    design: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["pipeline", str(design), "--items", "10"]) == 0
    printed = capsys.readouterr().out
    assert (
        "continuous pipelines; 2 register places in a FIFO, 8 between blocks; cycles lost between items: 1" in printed
    )
    assert "assumed: pipelines = continuous" in printed
    assert "chosen knowing the RTL log" in printed
    for figure in ("57,624", "57,625", "824,843", "816,584", "818,920", "7,353", "7,118", "2,529"):
        assert re.search(rf" {figure} ", printed), figure
    assert printed.count("item 9, first in to last out, ") == 2
    assert "V at most 2 items ahead, an assumption" in printed


def test_a_network_is_laid_out_for_a_board(design: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pipeline", str(design), "--board", "zcu102", "--interval", "300", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["balanced"]["board"] == "zcu102"
    assert content["published"] is None
    assert content["balanced"]["interval"] <= content["interval"] <= 300
    assert main(["pipeline", str(design), "--rate", "1e6"]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"^attn0\.q |^q ", printed, re.M), "the parallelism that was chosen"
    assert "rigid pipelines" in printed
    assert "beside what was published" not in printed


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["vgg"], "'vgg' is no network that is known here; there is deit-tiny, deit-small, or give a machine file"),
        (["no.toml"], "no machine file no.toml"),
        (["deit-tiny", "--items", "1"], "--items 1: at least 2"),
        (["deit-tiny", "--rate", "0"], "--rate 0.0: expected more than 0"),
        (["deit-tiny", "--rate", "9", "--interval", "9"], "give --interval or --rate, not both"),
        (["deit-small", "--board", "breadboard"], "breadboard"),
        (["deit-tiny", "--figure", "f.gif"], "expected a file that ends in .png"),
        (["deit-tiny", "--trace", "."], "--trace .: is a folder"),
        (["deit-tiny", "--schedule", "all", "--csv", "f.csv"], "--csv shows one schedule"),
    ],
)
def test_what_cannot_be_done_is_said_at_once(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["pipeline", *arguments]) == 2
    assert said in capsys.readouterr().err

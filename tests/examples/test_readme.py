"""The README tells the truth: its code runs and its commands exist."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


def test_code_gives_the_same_spikes_on_two_targets(tmp_path: Path) -> None:
    code = re.search(r"```python\n(.*?)```", README, re.S)
    assert code
    script = tmp_path / "readme.py"
    script.write_text(code[1])
    done = subprocess.run([sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    spikes, rest = done.stdout.split(" spikes; first difference: ", 1)
    assert int(spikes) > 1000
    assert rest.startswith("None")
    assert f"{int(spikes):,} sent" in rest


def test_crossbars_run_the_same_network(capsys: pytest.CaptureFixture[str]) -> None:
    """What stands in README, with a smaller network and shorter runs."""
    blocks = re.findall(r"```python\n(.*?)```", README, re.S)
    first, crossbar = blocks[0], next(block for block in blocks if "Crossbar" in block)
    network = first[: first.index("programs = ")].replace("1000, name", "60, name")
    assert "60, name" in network
    runs = "cpu = CPU().compile(net, dt=1 * ms).run(30 * ms)\n" + crossbar.replace("1 * second", "30 * ms")
    exec(compile(network + runs, "README", "exec"), {"__name__": "readme"})
    printed = capsys.readouterr().out
    assert "since programming  1 day" in printed
    assert "Energy by component" in printed
    assert "only programming" in printed


def test_commands_are_those_of_bootstrap() -> None:
    commands = re.findall(r"python3 bootstrap\.py (\w+)", README)
    assert {"demo", "test"} <= set(commands)
    sys.path.insert(0, str(ROOT))
    import bootstrap

    assert set(commands) <= set(bootstrap.EXTRAS)


def test_ci_runs_the_test_command() -> None:
    assert "python3 bootstrap.py test" in (ROOT / ".ci" / "run").read_text()


def test_linked_files_exist() -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


@pytest.mark.parametrize(
    "name", ["engine", "training", "language_model", "crossbar_digits", "crossbar_energy", "low_bits"]
)
def test_figures_are_those_of_the_last_run(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    from readme_blocks import RESULTS, quoted

    report = importlib.import_module(f"{name}_report")
    result = report.read(RESULTS / f"{name}.json")
    assert quoted(README, f"{name}_report.py")[1] == report.readme(result)
    assert (RESULTS / f"{name}.md").read_text() == report.page(result)

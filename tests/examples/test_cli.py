"""The command line, as a user types it."""

from __future__ import annotations

import errno
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from neuromorph import EventSource, Network, OneToOne, ms, to_sonata
from neuromorph.__main__ import COMMANDS, main
from neuromorph.interchange.sonata.neurons import IntFire1
from neuromorph.trace import open_trace

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
from neuromorph import *
from neuromorph.models import LIF

network = Network(seed=2)
cells = network.population(LIF(i_offset=2 * nA, v=Uniform(0 * mV, 15 * mV)), 200, name="cells")
network.project(cells, cells.i_in, FixedProbability(0.1), weight=-0.1 * nA, delay=2 * ms)
dt, duration = 0.5 * ms, 100 * ms
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "net.py"
    path.write_text(SCRIPT)
    return path


def test_every_command_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    for command in COMMANDS:
        with pytest.raises(SystemExit) as ended:
            main([command, "--help"])
        assert ended.value.code == 0
        assert "usage: neuromorph" in capsys.readouterr().out


def test_doctor_finds_what_is_installed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    printed = capsys.readouterr().out
    needed = re.findall(r"^    (\w+) [<>=]", (ROOT / "setup.cfg").read_text().partition("[options.packages")[0], re.M)
    assert {"numba", "nir"} <= set(needed)
    assert all(re.search(rf"^{name} +\d", printed, re.M) for name in needed)


def test_what_is_not_installed_is_said(
    script: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("neuromorph.cli.map.find_spec", lambda name: None)
    assert main(["map", str(script), "--figures", str(tmp_path)]) == 2
    assert "needs matplotlib; pip install 'neuromorph[plot]'" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "rich.console", None)
    assert main(["run", str(script)]) == 2
    assert "rich.console" in (printed := capsys.readouterr().err)
    assert "`neuromorph doctor`" in printed


@pytest.mark.parametrize("target", ["cpu", "reference", "spinnaker2", "crossbar", "pipeline"])
def test_run_leaves_a_trace(script: Path, tmp_path: Path, target: str) -> None:
    out = tmp_path / f"{target}.h5"
    assert main(["run", str(script), "--target", target, "--dtype", "float32", "--out", str(out)]) == 0
    with open_trace(out) as trace:
        assert trace.count("cells") > 100
        assert trace.stop == pytest.approx(100.0)


def test_a_crossbar_without_synapses_has_nothing_to_multiply(script: Path, tmp_path: Path) -> None:
    script.write_text("\n".join(line for line in SCRIPT.splitlines() if "project" not in line))
    out = tmp_path / "trace.h5"
    assert main(["run", str(script), "--target", "crossbar", "--out", str(out)]) == 0
    with open_trace(out) as trace:
        assert trace.count("cells") > 100
        assert trace.run["costs/steps"].shape[:2] == (200, 0)


@pytest.mark.parametrize("target", ["spinnaker2", "crossbar", "pipeline"])
def test_figures_go_to_a_folder(script: Path, capsys: pytest.CaptureFixture[str], target: str) -> None:
    assert main(["map", str(script), "--target", target, "--figures", str(script)]) == 2
    assert "is a file; give a folder" in capsys.readouterr().err


def test_a_full_disk_is_one_clear_error(
    script: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "figure.png")

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", full)
    assert main(["map", str(script), "--figures", str(tmp_path / "figures")]) == 2
    assert "No space left on device: 'figure.png'" in capsys.readouterr().err


def test_compare_tells_equal_from_different(script: Path, tmp_path: Path) -> None:
    a, b, c = (tmp_path / f"{name}.h5" for name in "abc")
    main(["run", str(script), "--out", str(a)])
    main(["run", str(script), "--target", "spinnaker2", "--out", str(b)])
    script.write_text(SCRIPT.replace("seed=2", "seed=3"))
    main(["run", str(script), "--out", str(c)])
    assert main(["compare", str(a), str(b)]) == 0
    assert main(["compare", str(a), str(c)]) == 1
    assert main(["inspect", str(b)]) == 0


def test_map_reports_without_running(script: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["map", str(script), "--chips", "2"]) == 0
    assert "synapses" in capsys.readouterr().out


def test_pipelines_are_mapped_and_drawn(script: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figures = tmp_path / "figures"
    options = ["--target", "pipeline", "--board", "zcu102", "--products", "stream", "--rate", "1000"]
    assert main(["map", str(script), *options, "--figures", str(figures)]) == 0
    printed = capsys.readouterr().out
    assert "step by step" in printed
    assert (figures / "pipeline.png").stat().st_size > 1000
    assert main(["map", str(script), "--target", "pipeline", "--board", "none.toml"]) == 2
    assert "none.toml" in capsys.readouterr().err


def test_crossbars_are_mapped_run_inspected_and_compared(
    script: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = tmp_path / "figures"
    assert main(["map", str(script), "--target", "crossbar", "--machine", "m1076", "--figures", str(figures)]) == 0
    assert re.search(r"arrays +1 of 76 on 1 chip", capsys.readouterr().out)
    assert {path.name for path in figures.iterdir()} == {"utilisation.png", "conductances.png"}
    cpu, ideal, aged = (tmp_path / f"{name}.h5" for name in ("cpu", "ideal", "aged"))
    crossbar = ["run", str(script), "--target", "crossbar"]
    main(["run", str(script), "--out", str(cpu)])
    assert main([*crossbar, "--machine", "hermes", "--effects", "none", "--out", str(ideal)]) == 0
    assert main(["compare", str(cpu), str(ideal)]) == 0
    assert "saturated conversions: no converters and 0" in capsys.readouterr().out
    options = ["--machine", "hermes", "--effects", "programming,drift", "--age", "86400s", "--seed", "5"]
    assert main([*crossbar, *options, "--readout", "row-gated", "--out", str(aged)]) == 0
    printed = capsys.readouterr().out
    assert "effects=[programming, drift]" in printed
    assert "seed=5" in printed
    assert "row-gated" in printed
    assert main(["compare", str(cpu), str(aged)]) == 1
    assert re.search(r"first: step \d+ \(.* ms\), cells, neuron \d+", capsys.readouterr().out)
    assert main(["inspect", str(aged)]) == 0
    assert "costs/energy_by_matrix" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--machine", "nothing"], "no crossbar machine 'nothing'; there is"),
        (["--profile", "-1"], "profile"),
        (["--effects", "nothing"], "no effect 'nothing'"),
        (["--effects", "wires"], "wires is off"),
        (["--readout", "nothing"], "readout is 'nothing'"),
        (["--tick", "1ms"], "--tick: an option of --target spinnaker2, not of crossbar"),
    ],
)
def test_what_a_crossbar_cannot_be_is_said(
    script: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    script.write_text("raise SystemExit('the script ran')")
    assert main(["run", str(script), "--target", "crossbar", "--out", str(tmp_path / "t.h5"), *options]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "arguments", "message"),
    [
        (None, [], "no such file"),
        ("x = 1", [], "found none"),
        ("x = 1\n1 / 0", [], "net.py, line 2: the script failed: ZeroDivisionError"),
        ("import sys\nsys.exit()", [], "net.py, line 2: the script ended itself (sys.exit)"),
        ('if __name__ == "__main__":\n    x = 1', [], 'what stands under if __name__ == "__main__" is not run'),
        (
            SCRIPT.replace("0.5 * ms, 100 * ms", "0.5 * ms, 100.0"),
            [],
            "net.py: duration 100.0 has no unit",
        ),
        (SCRIPT.replace("0.5 * ms, 100 * ms", "'soon', 7"), [], "net.py: dt: expected a number or a quan"),
        (SCRIPT, ["--reset", "zero", "--time-unit", "1ms"], "--reset (of .nir files), --time-unit (of .nir files)"),
        (
            SCRIPT + "network.record(cells, 'w')\n",
            [],
            "net.py, line 9: recording of cells: LIF has no state or value 'w'",
        ),
        (SCRIPT + "second_net = Network()\n", [], "--network"),
        (SCRIPT, ["--network", "nothing"], "no network named 'nothing'"),
        (SCRIPT + "network.population(LIF(tau_m=3 * mV))\n", [], "tau_m"),
        ("from neuromorph import *\nnetwork = Network()\n", [], "population"),
    ],
)
def test_bad_input_is_one_clear_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None, arguments: list[str], message: str
) -> None:
    path = tmp_path / "net.py"
    if text is not None:
        path.write_text(text)
    out = tmp_path / "trace.h5"
    assert main(["run", str(path), "--out", str(out), *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_what_cannot_be_written_is_said_before_building(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "net.py"
    path.write_text("raise SystemExit('the script ran')")
    thesis = tmp_path / "thesis.txt"
    thesis.write_text("years of work")
    for out, message in ((tmp_path / "no" / "t.h5", "no folder"), (thesis, "not overwritten"), (tmp_path, "a folder")):
        assert main(["run", str(path), "--out", str(out)]) == 2
        assert message in capsys.readouterr().err
    assert thesis.read_text() == "years of work"


BRIAN2 = """
from brian2 import *
{before}
tau = 10*ms
cells = NeuronGroup(10, "dv/dt = (2 - v)/tau : 1", threshold="v > 1", reset="v = 0", method="exact", name="cells")
monitor, unseen = SpikeMonitor(cells), PoissonGroup(3, rates=50*Hz)
{after}
"""
FUNCTION = """
def network():
    import brian2
    group = brian2.NeuronGroup(10, "dv/dt = 0.2/ms : 1", threshold="v > 1", reset="v = 0", method="euler", name="cells")
    return brian2.Network(group)
"""
NENGO = """
import nengo
duration = 0.02
with nengo.Network(seed=1) as model:
    drive, cells = nengo.Node(0.5), nengo.Ensemble(20, 1, label="cells")
    nengo.Connection(drive, cells)
    probe = nengo.Probe(cells.neurons)
"""
NENGO_RUN = (
    NENGO
    + """
with model, nengo.Network() as inner:
    nengo.networks.EnsembleArray(5, 2)
with nengo.Simulator(model, dt=0.002, progress_bar=False) as simulator:
    simulator.run(0)
    simulator.{run}
raise SystemExit("went on")
"""
)


@pytest.mark.parametrize(
    ("text", "arguments", "stop"),
    [
        (
            BRIAN2.format(before="set_device('cpp_standalone')", after="run(30*ms)\nraise SystemExit('went on')"),
            [],
            30.0,
        ),
        (BRIAN2.format(before="duration = 20*ms", after=""), [], 20.0),
        (BRIAN2.format(before="", after="net = Network(cells, monitor)"), ["--duration", "25ms"], 25.0),
        (FUNCTION, ["--duration", "25ms"], 25.0),
        (FUNCTION.replace("network()", "other()"), ["--duration", "25ms", "--network", "other"], 25.0),
        (NENGO, [], 20.0),
        (NENGO_RUN.format(run="run(0.03)"), [], 30.0),
        (NENGO_RUN.format(run="run_steps(20)"), [], 40.0),
        (NENGO_RUN.format(run="step()"), ["--duration", "20ms", "--dt", "1ms"], 20.0),
        (NENGO_RUN.partition("with nengo.Sim")[0], [], 20.0),
    ],
    ids=[
        "brian2-run",
        "brian2-objects",
        "brian2-network",
        "function",
        "function-by-name",
        "nengo",
        "nengo-run",
        "nengo-steps",
        "nengo-step",
        "nengo-nested",
    ],
)
def test_scripts_for_others(tmp_path: Path, text: str, arguments: list[str], stop: float) -> None:
    path, out = tmp_path / "script.py", tmp_path / "trace.h5"
    path.write_text(text)
    assert main(["run", str(path), "--target", "reference", "--out", str(out), *arguments]) == 0
    with open_trace(out) as trace:
        assert trace.count("cells") > 10
        assert trace.stop == pytest.approx(stop)


def test_where_a_script_was_ended_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "script.py"
    path.write_text(BRIAN2.format(before="", after="run(0*ms); run(30*ms)\ncells.v = 1\nrun(30*ms)"))
    assert main(["map", str(path)]) == 0
    assert "script.py, line 7: what Brian 2 would run here is run; the script ends here" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "arguments", "message"),
    [
        (BRIAN2.format(before="", after="run(1*ms)"), ["--network", "cells"], "leave --network out"),
        (BRIAN2.format(before="", after="run(1*ms)"), ["--dt", "1ms"], "Brian 2's clock has steps of 0.1 ms"),
        (BRIAN2.format(before="", after="cells.v = 'nothing'"), [], "script.py, line 7: the script failed"),
        (FUNCTION.replace("return", "x ="), [], "network() gives a NoneType, expected a network"),
        (FUNCTION.replace("0.2/ms", "nothing"), [], "nothing"),
    ],
)
def test_what_is_wrong_with_scripts_for_others_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, arguments: list[str], message: str
) -> None:
    path = tmp_path / "script.py"
    path.write_text(text)
    assert main(["map", str(path), *arguments]) == 2
    assert message in capsys.readouterr().err


def test_a_sonata_configuration_says_how_it_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net = Network()
    drive = net.population(EventSource(2, steps=[1, 2, 20], indices=[0, 1, 0]), name="drive")
    net.project(drive, net.population(IntFire1(), 2, name="cells").port("w"), OneToOne(), weight=2, delay=1 * ms)
    path, out = to_sonata(net, tmp_path / "circuit", dt=1 * ms, duration=40 * ms), tmp_path / "trace.h5"
    assert main(["run", str(path), "--target", "reference", "--out", str(out)]) == 0
    with open_trace(out) as trace:
        assert trace.count("cells") == 3
        assert trace.stop == pytest.approx(40.0)
    assert main(["map", str(path.with_name("circuit_config.json"))]) == 2
    assert "give --dt" in capsys.readouterr().err
    slow = ["run", str(path), "--target", "reference", "--dt", "4ms", "--out", str(out)]
    assert main(slow) == 2
    assert "a delay of 1 ms; an event arrives a step later" in capsys.readouterr().err
    assert main([*slow, "--ignore", "delay"]) == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not an array of numbers that np.save wrote"),
        (b"hello", "not an array of numbers that np.save wrote"),
        (np.ones((0, 1)), "at least one step"),
        (np.full((5, 1), np.nan), "found nan or infinity"),
        (np.ones(5), "(steps, channels...), got (5,)"),
        (np.array([["a"]]), "expected numbers"),
    ],
)
def test_bad_events_are_one_clear_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | np.ndarray, message: str
) -> None:
    graph, events = tmp_path / "graph.nir", tmp_path / "events.npy"
    graph.touch()
    events.write_bytes(content) if isinstance(content, bytes) else np.save(events, content)
    command = ["run", str(graph), "--dt", "1ms", "--out", str(tmp_path / "trace.h5")]
    assert main([*command, "--inputs", str(events)]) == 2
    printed = capsys.readouterr().err
    assert message in printed
    assert "events.npy" in printed
    assert main([*command, "--network", "net"]) == 2
    assert "--network (of .py files)" in capsys.readouterr().err


@pytest.mark.parametrize("value", ["5", "3mV", "ms", "-1ms", "0ms", "1e999s"])
def test_times_need_a_unit(script: Path, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["run", str(script), f"--duration={value}"])
    assert ended.value.code == 2
    assert value in capsys.readouterr().err


def test_options_of_another_target_are_refused(script: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(script), "--chips", "2", "--tick", "1ms"]) == 2
    assert "--chips, --tick: an option of --target spinnaker2, not of cpu" in capsys.readouterr().err
    assert main(["run", str(script), "--machine", "isaac", "--target", "spinnaker2"]) == 2
    assert "--machine: an option of --target crossbar, not of spinnaker2" in capsys.readouterr().err


def test_a_tick_that_is_too_short_is_overrun(script: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chips = ["--target", "spinnaker2", "--clock", "tick", "--tick", "5us", "--neurons-per-pe", "50"]
    assert main(["run", str(script), "--out", str(tmp_path / "trace.h5"), *chips]) == 0
    assert "late PEs catch up" in capsys.readouterr().out


def test_a_script_is_run_as_python_runs_it(script: Path, tmp_path: Path) -> None:
    (tmp_path / "numbers_beside.py").write_text("count = 7")
    parsed = "import argparse\nargparse.ArgumentParser().parse_args()\nfrom numbers_beside import count\n"
    script.write_text(parsed + SCRIPT.replace("200, name", "count, name"))
    assert main(["run", str(script), "--out", str(tmp_path / "trace.h5")]) == 0
    with open_trace(tmp_path / "trace.h5") as trace:
        assert trace.sizes["cells"] == 7


def test_interrupt_keeps_the_trace(script: Path, tmp_path: Path) -> None:
    out = tmp_path / "long.h5"
    command = [sys.executable, "-m", "neuromorph", "run", str(script), "--duration", "100000s", "--out", str(out)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=os.environ) as process:
        deadline = time.monotonic() + 120
        while not (out.exists() and out.stat().st_size > 100_000) and time.monotonic() < deadline:
            assert process.poll() is None, process.stderr.read() if process.stderr else ""
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
    with open_trace(out) as trace:
        assert trace.count("cells") > 100


def test_demo_prints_what_the_readme_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    readme = (ROOT / "README.md").read_text()
    promised = re.findall(r"^(?:accuracy|sparsity|machine|memory|time|energy) {2,}.*$", readme, re.M)
    assert main(["demo", "--out", str(tmp_path)]) == 0
    printed = {" ".join(line.split()) for line in capsys.readouterr().out.splitlines()}
    assert len(promised) == 6
    assert {" ".join(line.split()) for line in promised} <= printed
    with open_trace(tmp_path / "trace.h5") as trace:
        assert trace.count("output") == 2098
    assert len(list(tmp_path.glob("*.png"))) == 8

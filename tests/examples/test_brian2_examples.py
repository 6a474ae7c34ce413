"""Brian 2's own examples, small: the same spikes and states in Brian 2, by from_brian2 and on the device."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from neuromorph import CPU, Reference, first_difference, from_brian2, ms
from neuromorph.mapping.spinnaker2 import SpiNNaker2

b2 = pytest.importorskip("brian2")
ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "examples" / "brian2"
SMALL: dict[str, tuple[dict[str, Any], float]] = {
    "cuba": ({"neurons": 200, "inputs": 40}, 40),
    "cobahh": ({"neurons": 60, "inputs": 20}, 10),
    "if_curve_lif": ({"neurons": 20}, 40),
    "if_curve_hodgkin_huxley": ({"neurons": 10}, 20),
    "phase_locking": ({"neurons": 10}, 60),
    "adex_patterns": ({}, 40),
    "hindmarsh_rose": ({}, 30),
    "morris_lecar": ({}, 3),
    "wang_buzsaki": ({}, 3),
    "gap_junctions": ({}, 60),
    "coupled_oscillators": ({"oscillators": 10}, 100),
    "decaying_synapses": ({}, 20),
    "short_term_plasticity": ({}, 160),
    "nmda": ({}, 40),
    "inhibitory_plasticity": ({"neurons": 100, "density": 0.2}, 40),
}
CHAOTIC = {"adex_patterns"}  # its irregular neuron
RANDOM: dict[str, tuple[dict[str, Any], float]] = {
    "adaptive_threshold": ({"neurons": 100}, 60),
    "non_reliability": ({"neurons": 200}, 80),
    "oscillations": ({"neurons": 400, "inputs": 40}, 60),
    "brunel": ({"excitatory": 200, "inputs": 20, "weight": 2}, 60),
    "synfire": ({"groups": 3, "size": 60, "spikes": 60}, 80),
    "izhikevich": ({"neurons": 100}, 200),
    "stdp": ({"inputs": 1000, "neurons": 10}, 250),
}


@pytest.fixture(autouse=True)
def beside(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Examples import what lies beside them; Brian 2 compiles nothing."""
    monkeypatch.syspath_prepend(str(FOLDER))
    b2.prefs.codegen.target = "numpy"
    b2.BrianLogger.suppress_hierarchy("brian2")
    yield
    b2.set_device("runtime")


def module(name: str) -> ModuleType:
    return import_module(name)


def test_every_example_is_here() -> None:
    assert {path.stem for path in FOLDER.glob("*.py")} == {*SMALL, *RANDOM, "side_by_side"}
    for name in (*SMALL, *RANDOM):
        assert getattr(module(name), "random", False) == (name in RANDOM), name
        assert "Brian 2's example " in (module(name).__doc__ or "")


@pytest.mark.parametrize("name", SMALL)
def test_the_same_spikes_and_states(name: str) -> None:
    side, (sizes, duration) = module("side_by_side"), SMALL[name]
    build = partial(module(name).network, **sizes)
    theirs = side.observe(build, duration * b2.ms, seed=3)
    assert any(len(spikes) for spikes in theirs.spikes.values()) or any(np.ptp(s) > 0 for s in theirs.states.values())
    ours = side.observe(build, duration * b2.ms, 3, "neuromorph", target=Reference(dtype="float64"))
    for monitor, spikes in theirs.spikes.items():
        assert ours.spikes[monitor].tolist() == spikes.tolist()
    for monitor, states in theirs.states.items():
        assert side.states_apart(states, ours.states[monitor]) < 1e-6, monitor


def test_rounding_moves_spikes_of_the_chaotic_neuron_in_brian2_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    example, spikes = module("adex_patterns"), []
    monkeypatch.setattr(example, "EQUATIONS", example.EQUATIONS.replace("exp(", "nudged("))
    for nudge in (lambda x: x, lambda x: np.nextafter(x, np.inf)):  # exp as it is, and one unit in the last place up
        nudged = b2.Function(lambda x, n=nudge: n(np.exp(x)), arg_units=[1], return_unit=1)
        made = example.network()
        cells, monitor = made["cells"], made["spikes"]
        cells.namespace["nudged"] = nudged
        b2.Network(cells, monitor).run(480 * b2.ms, namespace={})
        steps = np.rint(monitor.t / (0.1 * b2.ms)).astype(int).tolist()
        spikes.append(set(zip(steps, np.asarray(monitor.i).tolist(), strict=True)))
    apart = sorted(spikes[0] ^ spikes[1])
    assert apart[0][0] > 4600
    assert {neuron for _, neuron in apart} == {list(example.PATTERNS).index("irregular spiking")}


@pytest.mark.parametrize("name", RANDOM)
def test_rates_within_what_chance_allows(name: str) -> None:
    side, (sizes, duration) = module("side_by_side"), RANDOM[name]
    build = partial(module(name).network, **sizes)
    theirs = [side.observe(build, duration * b2.ms, seed) for seed in (1, 2)]
    # the same seed: the same synapses
    ours = side.observe(build, duration * b2.ms, 1, "neuromorph", target=Reference(dtype="float64"))
    for monitor in theirs[0].spikes:
        counts, found = [len(each.spikes[monitor]) for each in theirs], len(ours.spikes[monitor])
        together = 0.04 * counts[0]  # neurons of a network fluctuate together
        allowed = 4 * max(np.std(counts, ddof=1), np.sqrt(counts[0]), together)
        assert counts[0] > 0
        assert abs(found - counts[0]) < allowed, (monitor, counts, found)


@pytest.mark.parametrize("name", ["cuba", "brunel"])
def test_chips_give_the_events_of_the_cpu(name: str) -> None:
    sizes, duration = (SMALL | RANDOM)[name]
    b2.seed(5)
    network = from_brian2(module(name).network(**sizes), namespace={})
    runs = [
        target.compile(network, 0.1 * ms, progress=False).run(duration * ms, progress=False)
        for target in (CPU(threads=1), SpiNNaker2())
    ]
    assert sum(runs[0].count(each) for each in runs[0].recorded_events) > 10
    assert first_difference(*runs) is None


def test_an_example_run_as_a_script_prints_how_far_it_agrees(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["if_curve_lif.py", "--duration", "30"])
    example = module("if_curve_lif")
    module("side_by_side").main(partial(example.network, 20), example.duration)
    printed = capsys.readouterr().out
    assert "not the same here: 0" in printed
    assert "in float32: none" in printed


def test_the_stored_page_is_that_of_the_stored_results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    report = module("brian2_examples_report")
    result = report.read(report_path := ROOT / "benchmarks" / "results" / "brian2_examples.json")
    assert report_path.with_suffix(".md").read_text() == report.page(result)
    for row in result.rows:
        wrong = sum(sum(m.apart.values()) + sum(m.device_apart.values()) for m in row.measured)
        assert row.random or row.name in CHAOTIC or not wrong, row.line

"""Static types: what mypy --strict says about a user's file, with the plugin."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

SOURCE = """
import numpy as np
from neuromorph.language import Event, Neuron, Param, Port, State, exp, neuron, sqrt, where, white_noise
from neuromorph.units import Mohm, mV, ms, nA


@neuron
class LIF:
    i_in = Port(unit=nA)
    tau_m, tau_s = Param(20 * ms), Param(5 * ms)
    r, theta, t_ref = Param(10 * Mohm), Param(15 * mV), Param(2 * ms)
    e_l = Param(-70 * mV)
    i, v = State(0 * nA), State(e_l)
    i.jump = i_in
    i.dot = -i / tau_s
    v.dot = (r * i - v) / tau_m + exp(v / mV) * mV / ms + 1 * mV / sqrt(tau_m) * white_noise()
    spike = Event(when=(v > theta) & (np.float32(2) * i > 0 * nA), refractory=t_ref, hold=(v,))
    v.reset = where(v > 2 * theta, v - theta, e_l)


@neuron(method="euler")
class Counter:
    n = State(3, dtype=int)
    n.next = (n >> 2) + 1
    y = Event(when=n == 3)
    n.reset = 0


def name(n: Neuron) -> str:
    return n.name


name(LIF)
name(LIF(tau_m=10 * ms, v=np.zeros(3) * mV))
name(LIF.with_method("exact"))
name(Counter(n=4)(n=5))
name(3)  # error: [arg-type]
LIF.nothing  # error: [attr-defined]
LIF(tau_m=10 * ms).nothing  # error: [attr-defined]
State("text")  # error: [arg-type]
State(0.0).dot = "text"  # error: [assignment]
"""


def test_mypy_understands_a_neuron(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    file = tmp_path / "checked_neuron.py"
    file.write_text(SOURCE)
    # From the root of the repository, for its configuration and its cache, which may answer with an earlier folder.
    done = subprocess.run([sys.executable, "-m", "mypy", str(file)], cwd=ROOT, capture_output=True, text=True)
    found = {line.split(":")[1]: line for line in done.stdout.splitlines() if f"{file.name}:" in line}
    expected = {str(k): line for k, line in enumerate(SOURCE.splitlines(), start=1) if "# error" in line}
    assert found.keys() == expected.keys(), done.stdout + done.stderr
    for number, line in expected.items():
        assert line.partition("# error: ")[2] in found[number]

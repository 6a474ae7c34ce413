"""Networks whose events carry coded values: the numbers of the code, on every target alike; and the command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuromorph import CPU, EventSource, Live, Lookup, Network, Reference, ms
from neuromorph.__main__ import main
from neuromorph.errors import NetworkError
from neuromorph.mapping.payloads import VALUES, Range, coded, replay, reruns, value_code
from neuromorph.mapping.spinnaker2 import SpiNNaker2
from neuromorph.models import EGRUEvNN, Linear
from neuromorph.network import Dense, OneToOne
from neuromorph.trace import Trace, first_difference

SCRIPT = """
import numpy as np
from neuromorph import *
from neuromorph.models import EGRUEvNN

rng = np.random.default_rng(0)
net = Network(name="gated")
drive = net.population(EventSource.from_dense(rng.normal(0, 1, (20, 6)) * (rng.random((20, 6)) < 0.5)), name="in")
units = net.population(EGRUEvNN(theta=0.05), 12, name="units")
net.project(drive, units.a_x, Dense(rng.normal(0, 1, (6, 12)).astype(np.float32)))
net.project(units, units.a_y, Dense(rng.normal(0, 0.3, (12, 12)).astype(np.float32)))
dt, duration = 1 * ms, 20 * ms
"""


def gated() -> Network:
    names: dict[str, Any] = {}
    exec(SCRIPT, names)
    made = names["net"]
    assert isinstance(made, Network)
    return made


def emitted(target: Any, network: Network, steps: int) -> Trace:
    trace = target.compile(network, dt=1 * ms, progress=False).run(steps, progress=False)
    assert isinstance(trace, Trace)
    return trace


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("name", sorted(VALUES))
def test_neurons_send_the_numbers_of_the_code(name: str, signed: bool) -> None:
    values = np.linspace(-270, 270, 1081, dtype=np.float32)
    net = Network(name="sums")
    source = net.population(Linear(b=values), len(values), name="values")
    net.project(source, net.population(Linear, len(values), name="heard").a, OneToOne(), weight=1.0)
    held = Range(255.0, signed)
    sent = emitted(Reference(dtype="float32"), coded(net, name, {"values": held}), 1).events("values").values
    assert sent is not None
    want = VALUES[name].numbers(values, held)
    if name == "int16":  # the neuron divides in float32, so what lies between two codes may become the other one
        assert np.abs(sent - want).max() < 1.01 * VALUES[name].scale(held)
    else:
        assert sent.tolist() == want.tolist()
    assert (len(np.unique(sent)) < len(values)) == (name != "float32")


def test_sources_send_the_numbers_of_the_code() -> None:
    code, held = value_code("spark"), Range(100.0, True)
    table = np.array([[3.0, -50.0], [0.1, 99.0]], np.float32)
    net = Network(name="sources")
    given = net.population(EventSource.from_dense(table), name="given")
    words = net.population(Lookup(table, np.array([1, 0])), name="words")
    for source in (given, words):
        net.project(source, net.population(Linear, 2, name=f"of_{source.name}").a, OneToOne(), weight=1.0)
    trace = emitted(CPU(), coded(net, code, {"given": held, "words": held}), 2)
    want = code.numbers(table, held)
    for name, rows in (("given", want), ("words", want[::-1])):
        events = trace.events(name)
        dense = np.zeros((2, 2))
        dense[events.steps, events.ids] = events.values
        assert dense.tolist() == rows.tolist()


def test_a_coded_network_is_the_same_on_every_target_and_is_sent_without_loss() -> None:
    net = gated()
    program = SpiNNaker2(neurons_per_pe=4).compile(net, dt=1 * ms, progress=False)
    trace = program.run(20, progress=False)
    found = replay(program, names=["float32/single", "spark/packed"])
    changed = coded(net, "spark", found.ranges)
    runs = [
        emitted(target, changed, 20) for target in (Reference(dtype="float32"), CPU(), SpiNNaker2(neurons_per_pe=4))
    ]
    assert first_difference(runs[0], runs[1]) is None
    assert first_difference(runs[0], runs[2]) is None
    again = replay(program, runs[1], ["spark/packed"], ranges=found.ranges)
    assert again.outcomes[0].errors.largest == 0 < found["spark/packed"].errors.largest
    (rerun,) = reruns(net, 1 * ms, trace, found)
    events = [
        {(s, k, n) for k in ("in", "units") for s, n in zip(each.events(k).steps, each.events(k).ids, strict=True)}
        for each in (trace, runs[1])
    ]
    assert (rerun.missing, rerun.extra) == (len(events[0] - events[1]), len(events[1] - events[0]))
    assert rerun.changed == len(events[0] ^ events[1]) / len(events[0] | events[1]) > 0


def test_what_cannot_be_coded_is_said() -> None:
    net = Network(name="wrong")
    live = net.population(Live(2, graded=True), name="live")
    spikes = net.population(EventSource(2, steps=[0], indices=[0]), name="spikes")
    units = net.population(EGRUEvNN, 2, name="units")
    net.project(live, units.a_x, OneToOne(), weight=1.0)
    net.project(spikes, units.a_x, Dense(np.eye(2)))
    held = Range(1.0, True)
    with pytest.raises(NetworkError, match="live: its events are given while the network runs"):
        coded(net, "spark", {"live": held})
    with pytest.raises(NetworkError, match="spikes: its events carry no values"):
        coded(net, "spark", {"spikes": held})
    with pytest.raises(NetworkError, match="cells"):
        coded(net, "spark", {"cells": held})


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script, trace, numbers, figure = (tmp_path / name for name in ("net.py", "trace.h5", "out/all.json", "all.png"))
    script.write_text(SCRIPT)
    assert main(["run", str(script), "--out", str(trace)]) == 0
    names = "float32/single,int8/packed,spark/packed"
    given = [str(script), "--encodings", names, "--trace", str(trace), "--neurons-per-pe", "4"]
    pytest.importorskip("matplotlib")
    assert main(["payloads", *given, "--rerun", "--json", str(numbers), "--figure", str(figure)]) == 0
    printed = capsys.readouterr().out
    assert "spark/packed" in printed
    assert "run again with the values of each code" in printed
    content = json.loads(numbers.read_text())
    assert [each["encoding"] for each in content["outcomes"]] == names.split(",")
    assert [each["code"] for each in content["reruns"]] == ["int8", "spark"]
    assert figure.read_bytes().startswith(b"\x89PNG")
    for wrong, said in (
        (["--encodings", "spark"], "expected a code for values and a layout"),
        (["--figure", str(tmp_path / "all.xls")], "expected a file that ends in .png, .svg, .pdf"),
        (["--json", str(tmp_path)], "is a folder; give a file"),
    ):
        assert main(["payloads", str(script), *wrong]) == 2
        assert said in capsys.readouterr().err

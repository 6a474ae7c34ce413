"""Random networks whose synapses change: the compiled engine does what the reference does, bit for bit."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plastic import STEPS, plastic_networks
from strategies import DT

from neuromorph import CPU, Network, Reference
from neuromorph.engine.target import Program

SETTINGS = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
TOTAL = STEPS + 15


def result(program: Any, *traces: Any) -> dict[str, Any]:
    """Events, recorded states, and every synapse with its states, as bytes."""
    found: dict[str, Any] = {}
    for name in traces[0].populations:
        events = [trace.events(name) for trace in traces]
        found[name, "steps"] = np.concatenate([np.asarray(e.steps) for e in events]).tobytes()
        found[name, "ids"] = np.concatenate([np.asarray(e.ids) for e in events]).astype(np.int64).tobytes()
        found[name, "values"] = [v for e in events if e.values is not None for v in np.asarray(e.values).tolist()]
    for owner, variable in traces[0].recorded_states:
        states = [trace.state(owner, variable) for trace in traces]
        found[owner, variable, "steps"] = np.concatenate([np.asarray(s.steps) for s in states]).tobytes()
        found[owner, variable, "rows"] = np.concatenate([s.data for s in states]).tobytes()
    for projection in program.network.projections:
        synapses = program.synapses(projection)
        columns = {"weights": synapses.weights, "delays": synapses.delays, "post": synapses.post, "pre": synapses.pre}
        plain = {name: np.asarray(getattr(v, "value", v)) for name, v in {**columns, **synapses.states}.items()}
        if projection.synapse is None:  # in whatever order the engine keeps them
            order = np.lexsort([plain[name] for name in columns])
            plain = {name: plain[name][order] for name in columns}
        found |= {(projection.name, name): values.tobytes() for name, values in plain.items()}
    return found


def run(target: Any, net: Network, *cuts: int) -> dict[str, Any]:
    program: Program = target.compile(net, dt=DT, progress=False)
    bounds = [0, *sorted(cuts), TOTAL]
    traces = [program.run(b - a, progress=False) for a, b in pairwise(bounds)]
    return result(program, *traces)


@given(plastic_networks(), st.sampled_from(["float32", "float64"]), st.sampled_from([2, 3]), st.data())
@SETTINGS
def test_compiled_like_the_reference(net: Network, dtype: Any, threads: int, data: st.DataObject) -> None:
    expected = run(Reference(dtype=dtype), net)
    assert run(CPU(dtype=dtype, threads=1), net) == expected
    cuts = data.draw(st.lists(st.integers(0, TOTAL), max_size=3))
    assert run(CPU(dtype=dtype, threads=threads), net, *cuts) == expected
    assert run(Reference(dtype=dtype), net, *cuts) == expected


@given(plastic_networks(), st.data())
@SETTINGS
def test_a_restored_run_goes_on_as_if_it_had_never_stopped(net: Network, data: st.DataObject) -> None:
    engines = [Reference(dtype="float32"), CPU(threads=1), CPU(threads=2)]
    first, second = (data.draw(st.sampled_from(engines)) for _ in range(2))
    cut = data.draw(st.integers(0, TOTAL))
    program = first.compile(net, dt=DT, progress=False)
    program.run(cut, progress=False)
    saved = program.state()
    expected = result(program, program.run(TOTAL - cut, progress=False))
    other = second.compile(net, dt=DT, progress=False)
    other.run(data.draw(st.integers(0, 7)), progress=False)
    other.restore(saved)
    assert result(other, other.run(TOTAL - cut, progress=False)) == expected

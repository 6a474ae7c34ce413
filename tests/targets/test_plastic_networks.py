"""Random networks whose synapses change: the compiled engine does what the reference does, bit for bit."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plastic import STEPS, plastic_networks, result
from strategies import DT

from neuromorph import CPU, Network, Reference
from neuromorph.engine.target import Program

SETTINGS = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
TOTAL = STEPS + 15


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

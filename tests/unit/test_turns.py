"""Populations that act in some steps only: kernels that return early change nothing."""

from __future__ import annotations

from typing import Any

import numpy as np

from neuromorph import CPU, Dense, EventSource, Network, Reference, first_difference, ms
from neuromorph.engine.layout import shared_ops
from neuromorph.engine.turns import turn
from neuromorph.language import Event, Port, State, make_neuron, maximum, normal, step, trunc_div, where


def seldom(*, noisy: bool = False, leaks: bool = False) -> Any:
    """Integrates in every third step; with ``leaks``, one state moves in every step."""
    now = step - trunc_div(step, 3) * 3 == 1
    a, x, y = Port(), State(0.0), State(0.25)
    x.next = where(now, 0.8 * x + a + (0.1 * normal() if noisy else 0.0), x)
    x.reset = x - 1.0
    y.next = 0.9 * y if leaks else where(now & (a > 0.0), maximum(y, a), y)
    return make_neuron("Seldom", {"a": a, "x": x, "y": y, "out": Event(when=now & (x > 1.0), value=x + y)})


def network(**options: bool) -> Network:
    rng = np.random.default_rng(4)
    net = Network(seed=2)
    source = net.population(EventSource.from_dense(rng.random((60, 5)) * (rng.random((60, 5)) < 0.5)), name="source")
    cells = net.population(seldom(**options), 130, name="cells")
    net.project(source, cells, Dense(rng.random((5, 130))))
    net.project(cells, cells, Dense(rng.normal(0.0, 0.02, (130, 130))), delay=2)
    net.record(cells, "x", "y")
    return net


def test_a_step_out_of_turn_is_told_from_the_program() -> None:
    for options, told in (({}, True), ({"noisy": True}, True), ({"leaks": True}, False)):
        program = CPU().compile(network(**options), dt=1 * ms).lowered.populations[1].program
        assert program is not None
        assert (turn(program, shared_ops(program)) is not None) == told


def test_kernels_that_return_early_give_the_bits_of_the_reference() -> None:
    for options in ({}, {"noisy": True}, {"leaks": True}):
        reference = Reference("float32").compile(network(**options), dt=1 * ms).run(60, progress=False)
        for threads in (1, 2):
            program = CPU(threads=threads).compile(network(**options), dt=1 * ms)
            assert first_difference(reference, program.run(60, progress=False)) is None
        assert len(reference.events("cells")) > 100
        assert set(np.asarray(reference.events("cells").steps) % 3) == {1}

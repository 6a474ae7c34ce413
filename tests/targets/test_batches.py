"""Batches: every sample is the run that it would be alone, however samples share the work."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import DT, STEPS, networks

from neuromorph import (
    CPU,
    Network,
    Reference,
)
from neuromorph.engine import Batch
from neuromorph.language.expr import Type


def counts(batch: Batch) -> dict[str, list[Any]]:
    return {name: array.tolist() for name, array in batch.counts.items()}


def values(draw: st.DrawFn, net: Network, samples: int) -> dict[str, dict[str, Any]]:
    """Values of a parameter or state of some populations for each sample."""
    inputs: dict[str, dict[str, Any]] = {}
    rng = np.random.default_rng(draw(st.integers(0, 100)))
    for population in net.populations[1:]:
        model = population.neuron
        spec = draw(st.sampled_from((*model.params, *model.states)))
        if spec.name == "t_ref":
            continue
        shape = (samples, draw(st.sampled_from([1, population.size])))
        if spec.type is Type.INT:
            array: Any = rng.integers(1, 60, shape)
        else:
            array = rng.uniform(0.5, 2.0, shape) * (getattr(spec, "default", None) or 0.1) / (spec.unit.scale or 1)
        inputs.setdefault(population.name, {})[spec.name] = array * spec.unit if spec.unit.name else array
    return inputs


@st.composite
def batches(draw: st.DrawFn) -> tuple[Network, dict[str, Any]]:
    """A network and inputs of up to 19 samples."""
    net, samples = draw(networks()), draw(st.integers(1, 19))
    inputs: dict[str, Any] = dict(values(draw, net, samples))
    source = net.populations[0]
    if not inputs or draw(st.booleans()):
        rng = np.random.default_rng(samples)
        dense = rng.random((samples, STEPS, source.size)) < 0.2
        graded = source.neuron.values is not None
        inputs[source.name] = dense * np.round(rng.uniform(0.2, 1.5, dense.shape), 2) if graded else dense
    return net, inputs


@given(batches(), st.sampled_from(["float32", "float64"]), st.sampled_from([8, 16]), st.sampled_from([1, 3]))
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_lanes_give_what_the_reference_gives(
    case: tuple[Network, dict[str, Any]], dtype: Any, lanes: Any, threads: int
) -> None:
    net, inputs = case
    expected = Reference(dtype).compile(net, dt=DT).run_batch(inputs, STEPS, window=(2, STEPS), progress=False)
    program = CPU(dtype, threads, lanes=lanes).compile(net, dt=DT)
    got = program.run_batch(inputs, STEPS, window=(2, STEPS), progress=False)
    assert counts(got) == counts(expected)

"""Networks that tests lay out as pipelines, and their layouts."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from strategies import DT, Delta

from neuromorph import Dense, EventSource, Network, mV
from neuromorph.mapping.pipeline import Pipeline
from neuromorph.mapping.pipeline.design import Parallel
from neuromorph.mapping.pipeline.network.design import NetworkDesign
from neuromorph.mapping.pipeline.network.schedules import Schedule
from neuromorph.models.egru_layers import EGRUWeights, egru_stack
from neuromorph.progress import Silent


def design_of(net: Network, **options: Any) -> NetworkDesign:
    target = Pipeline(**options)
    return target._design(target._lower(net, DT, False, Silent()))


def scheduled(net: Network, parallel: dict[str, Parallel]) -> Schedule:
    return Schedule(Pipeline(parallel=parallel).map(net, DT), "stream")


def chain(*sizes: int, recurrent: int = 0, seed: int = 0) -> Network:
    """Dense layers of spiking neurons; with ``recurrent`` each but the input has a loop of that delay in steps."""
    rng = np.random.default_rng(seed)
    net = Network(seed=seed, name="chain")
    pre = net.population(EventSource.from_dense(rng.random((40, sizes[0])) < 0.4), name="inp")
    for number, size in enumerate(sizes[1:], 1):
        post = net.population(Delta, size, name=f"layer{number}")
        net.project(pre, post.v_in, Dense(rng.normal(2, 4, (pre.size, size)) * mV), name=f"to{number}")
        if recurrent:
            weights = Dense(rng.normal(0, 1, (size, size)) * mV)
            net.project(post, post.v_in, weights, delay=recurrent * DT, name=f"loop{number}")
        pre = post
    return net


def stack(layers: int = 2, units: int = 12) -> Network:
    """EGRU layers on top of each other."""
    net = Network(seed=1, name="stack")
    inp = net.population(EventSource.from_dense(np.random.default_rng(0).random((60, 10)) < 0.4), name="inp")
    sizes = (10, *(units for _ in range(layers)))
    egru_stack(net, inp, [EGRUWeights.random(a, b, threshold=0.02, seed=b) for a, b in pairwise(sizes)])
    return net


def one_lane(net: Network) -> dict[str, Parallel]:
    return {operator.name: Parallel() for operator in design_of(net).operators}

"""Every target that must run networks alike; adding one is one line."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial

import pytest

from neuromorph import CPU, Reference
from neuromorph.engine import Target
from neuromorph.mapping.crossbar import Crossbar, CrossbarMachine, load_machine
from neuromorph.mapping.pipeline import Pipeline
from neuromorph.mapping.spinnaker2 import SpiNNaker2


def spinnaker2(dtype: str = "float32", weights: str | None = None, **options: object) -> Target:
    """SpiNNaker2, whose PEs compute in float32 only."""
    if dtype != "float32":
        pytest.skip("the PEs of SpiNNaker2 compute in float32")
    return SpiNNaker2(weights=weights, **options)


def crossbar(
    dtype: str = "float32", weights: str | None = None, machine: str | CrossbarMachine = "ideal", **options: object
) -> Target:
    """Crossbars without any physical effect."""
    return Crossbar(machine, dtype=dtype, weights=weights, **options)


def pipeline(dtype: str = "float32", weights: str | None = None, **options: object) -> Target:
    """A pipeline on VCK190, balanced for it."""
    return Pipeline(dtype=dtype, weights=weights, **options)


TARGETS: dict[str, Callable[..., Target]] = {  # of (dtype, weights): comparisons are with the reference of the same
    "reference": Reference,
    "cpu": partial(CPU, threads=1),
    "cpu-2-threads": partial(CPU, threads=2),
    "spinnaker2": spinnaker2,
    "crossbar": crossbar,
    "crossbar-small": partial(
        crossbar, machine=load_machine("ideal", rows=7, columns=20), convolution="stationary", replicate=2
    ),
    "pipeline": pipeline,
    "pipeline-events": partial(pipeline, products="events"),
    "spinnaker2-3-chips": partial(spinnaker2, chips=3, neurons_per_pe=7, partition="sequential", rows="packed"),
}


@pytest.fixture(scope="session", params=TARGETS)
def make(request: pytest.FixtureRequest) -> Callable[..., Target]:
    """A target of each kind, by ``dtype`` and ``weights``."""
    return TARGETS[request.param]


@pytest.fixture(scope="session")
def target(make: Callable[..., Target]) -> Target:
    """A target of each kind, in float32."""
    return make("float32")


@pytest.fixture(scope="session")
def others() -> Callable[..., dict[str, Target]]:
    """All targets but the reference that can run with some ``dtype`` and ``weights``, by name."""

    def able(dtype: str, weights: str | None) -> dict[str, Target]:
        found = {}
        for name, kind in TARGETS.items():
            if name != "reference":
                with suppress(pytest.skip.Exception):
                    found[name] = kind(dtype=dtype, weights=weights)
        return found

    return able

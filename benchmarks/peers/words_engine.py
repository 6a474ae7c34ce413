"""Our CPU engine, float32."""

from __future__ import annotations

from typing import Literal

import power

import neuromorph
from neuromorph import CPU, ms
from neuromorph.models.language_model import LanguageModel

from . import Build, Setup
from .words import Energy, Floats, Ids, Reader, networks


def version() -> str:
    """Of the package."""
    return neuromorph.__version__


class Engine:
    """The model's network, compiled with words given beforehand and word by word."""

    def __init__(self, model: LanguageModel, ids: Ids, threads: int, weights: Literal["int8"] | None) -> None:
        self.model, self.ids = model, ids
        target = CPU(threads=threads or None, weights=weights)
        self.program = target.compile(model.network(ids), dt=1 * ms, progress=False)
        network = model.network()
        self.loop = target.compile(network, dt=1 * ms, progress=False).live(outputs=[model.output])
        self.source = network["embedding"]

    def sequence(self) -> Floats:
        """The words and the steps in which the last answer comes through the layers."""
        trace = self.program.run(len(self.ids) + self.model.latency, reset=True, progress=False)
        return self.model.outputs(trace, 0, len(self.ids))

    def live(self) -> None:
        """A step for each word; its answer comes in a later one, as the layers form a pipeline."""
        for word in self.ids:
            self.loop.step({self.source: word})
            _ = self.loop[self.model.output]


def made(model: LanguageModel, ids: Ids, setup: Setup, weights: Literal["int8"] | None = None) -> tuple[Reader, Energy]:
    """The engine and the processor's meter."""
    return Engine(model, ids, setup.threads, weights), Energy(power.processor()[0], lambda: None)


NETWORKS: dict[str, Build] = networks(made)

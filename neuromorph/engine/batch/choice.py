"""Which way a batch is run: measured, for every way gives the same results."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neuromorph.engine.schedule import Compiled
from neuromorph.progress import Silent

from .lanes import LaneInstance, Widened, widen
from .ways import Way

if TYPE_CHECKING:
    from neuromorph.engine.cpu import CPUProgram

PATIENCE = 0.3
"""Seconds that batches take one sample after another before lanes are compiled: that takes seconds the first time."""
TRIALS = 3
"""Times that each way is measured; the best counts."""
GROUP_BYTES = 1 << 21
"""Bytes of a group's states and sums above which it has fewer lanes: they should stay in a core's cache."""
FEWEST = 8
"""Lanes that a group has at least."""
MOST_SYNAPSES = 1 << 28
"""Lanes read plain rows, beside the form in which a projection is stored for runs: up to so many synapses."""


class Batching:
    """What a program knows of its batches.

    Parameters
    ----------
    program : CPUProgram
    compiled : Compiled
        The program's network with the inputs' parameters given per neuron.
    inputs : frozenset of (population, name)
        Parameters and states that samples set.

    Attributes
    ----------
    base : Compiled
        The program's network when this was made.
    reason : str
        Why samples run one after another whatever lanes would bring; empty if they need not.
    """

    def __init__(self, program: CPUProgram, compiled: Compiled, inputs: frozenset[tuple[int, str]]) -> None:
        self.base, self.compiled, self.inputs = program.compiled, compiled, inputs
        self.reason = program.lanes_refused() or _refused(compiled)
        self._program = program
        self._wanted: int | None = getattr(program.target, "lanes", None)
        self._one: Way | None = None
        self._wide: Way | None = None
        self._widened: Widened
        self._spent = 0.0
        self._trials: dict[int, int] = {}

    @property
    def threads(self) -> int:
        """Threads that run samples of their own."""
        return self._program.target.threads or self._program.cores

    def next(self, samples: int) -> tuple[Way, int]:
        """The way to run some of so many samples, and of how many at most: fewer than all while it is measured."""
        if self.reason or self._wanted == 1:
            return self._one_by_one(samples), samples
        if self._wanted is not None:
            return self._side_by_side(self._wanted, samples), samples
        if self._wide is None and self._spent < PATIENCE:
            return self._one_by_one(samples), samples
        lanes = self._lanes() if self._wide is None else self._wide.lanes
        ways = self._side_by_side(lanes, samples), self._one_by_one(samples)
        for way in ways:
            if self._trials.get(way.lanes, 0) < TRIALS and samples > lanes // 2:
                return way, lanes * self.threads
        return min(ways, key=lambda way: way.seconds or np.inf), samples

    def tell(self, way: Way, steps: int, seconds: float) -> None:
        """So many sample-steps took so long."""
        if way.lanes == 1:
            self._spent += seconds
        tried = self._trials.get(way.lanes, 0)
        self._trials[way.lanes] = tried + 1
        speed = seconds / max(steps, 1)
        way.seconds = min(way.seconds, speed) if tried else speed

    def _one_by_one(self, samples: int) -> Way:
        if self._one is None:
            self._one = Way([], 1)
        while len(self._one.instances) < min(self.threads, samples):
            self._one.instances.append(self._program.instance(self.compiled, 1))
        return self._one

    def _side_by_side(self, lanes: int, samples: int) -> Way:
        if self._wide is None:
            self._widened, self._wide = widen(self.compiled, lanes, Silent()), Way([], lanes)
        while len(self._wide.instances) < min(self.threads, -(-samples // lanes)):
            self._wide.instances.append(LaneInstance(self._widened))
        return self._wide

    def _lanes(self) -> int:
        """Lanes that fill a vector of 64 bytes twice, fewer if a group would take too many bytes."""
        wide = 4 if self.compiled.dtype == "float32" else 8
        lanes = 128 // wide
        one = self._one_by_one(1).instances[0]
        while lanes > FEWEST and lanes * one.nbytes > GROUP_BYTES:
            lanes //= 2
        return lanes

    def __str__(self) -> str:
        if self.reason:
            return f"samples of batches run one after another: {self.reason}"
        ways = [way for way in (self._one, self._wide) if way is not None and way.seconds]
        if not ways:
            return ""
        best = min(ways, key=lambda way: way.seconds)
        names = {way.lanes: f"in {way.lanes} lanes" if way.lanes > 1 else "one by one" for way in ways}
        said = [f"{way.seconds * 1e6:.3g} us a step of a sample {names[way.lanes]}" for way in ways]
        chosen = f"{best.lanes} samples of a batch run side by side" if best.lanes > 1 else "samples run one by one"
        return f"{chosen} ({', '.join(said)})"


def _refused(compiled: Compiled) -> str:
    """Why a network cannot run in lanes; empty if it can."""
    for plastic in compiled.plastic:
        return f"the weights of {plastic.lowered.name} are each sample's own"
    if compiled.readings:
        return "populations read one another's states"
    synapses = sum(projection.count for projection in compiled.projections)
    if synapses > MOST_SYNAPSES:
        return f"{synapses:,} synapses are too many to be kept twice"
    return ""

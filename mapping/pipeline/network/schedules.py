"""A network's pipelined schedule beside the step-by-step one: interval, latency, buffers, throughput."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..actions import Energy
from ..buffers import buffers
from ..energy import has_prices, priced
from ..graph import StageGraph
from ..timing import Timing
from .bound import Bound
from .design import NetworkDesign
from .plan import Plan
from .steps import StepTimes, one_by_one, overlapped, rounds, works

Products = Literal["stream", "events"]


@dataclass(frozen=True, slots=True)
class Figures:
    """One schedule.

    Attributes
    ----------
    name : str
    interval : float
        Cycles from step to step.
    first : float
        Cycles from the first word in to the last word out of the first step, which waits for no other.
    latency : float
        The same of a step among others that come as fast as they are taken in: FIFOs are full then.
    rate : float
        Steps a second at the board's clock.
    cycles : float
        Of all steps of the run, 0 before one.
    buffers : int
        Bits of activations: FIFOs, windows, states.
    """

    name: str
    interval: float
    first: float
    latency: float
    rate: float
    cycles: float
    buffers: int

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, eq=False, repr=False)
class Schedule:
    """How the steps of a network follow one another on a board.

    Attributes
    ----------
    plan : Plan
        The layout: stages and FIFOs. Products that work by events take time that is not in its stage graph.
    products : {"stream", "events"}
    steps : int
        Steps of the run.
    counted : int64 (steps, products) or None
        What the run's events were to each product, of schedules by events.
    """

    plan: Plan
    products: Products
    steps: int = 0
    counted: npt.NDArray[np.int64] | None = None

    @property
    def design(self) -> NetworkDesign:
        """Operators of the network."""
        return self.plan.design

    @property
    def graph(self) -> StageGraph:
        """Stages and FIFOs."""
        return self.plan.graph

    @property
    def bound(self) -> Bound:
        """Closed form of the streaming pipeline: slowest stage, or the mean of a loop."""
        return self.plan.bound

    @property
    def timing(self) -> Timing:
        """An exact run of the streaming pipeline, of as many items as fill it and a few more."""
        return self.plan.timing

    @property
    def interval(self) -> float:
        """Cycles from step to step of the pipelined schedule."""
        return self.pipelined.interval

    @cached_property
    def overlap(self) -> StepTimes:
        """When operators did each step, of schedules by events."""
        return overlapped(self.design, self.plan.parallel, self.busy(max(self.steps, 1)))

    def busy(self, steps: int) -> npt.NDArray[np.int64]:
        """Cycles that each operator works on each step, int64 (steps, operators)."""
        if self.products == "stream":
            return works(self.design, self.plan.parallel, None, steps)
        counted = np.zeros((steps, len(self.design.products)), np.int64)
        if self.counted is not None:
            for k in range(len(self.design.products)):
                counted[:, k] = rounds(self.design, self.plan.parallel, k, self.counted[:, k])
        return works(self.design, self.plan.parallel, counted, steps)

    @cached_property
    def pipelined(self) -> Figures:
        """All layers at once, each on a step of its own."""
        memory = buffers(self.graph).activations
        if self.products == "events":
            times = self.overlap
            cycles = float(times.cycles) if self.steps else 0.0
            return self._figures("pipelined", times.interval, times.first, times.latency, cycles, memory)
        out, interval = self.timing.last_out, self.plan.interval
        known = min(self.steps, len(out))
        cycles = float(out[known - 1]) + 1 + (self.steps - known) * interval if self.steps else 0.0
        latency = self.timing.latency
        return self._figures("pipelined", interval, float(latency[0]), float(latency[-1]), cycles, memory)

    @cached_property
    def step_by_step(self) -> Figures:
        """One layer after the other, the next step when all are done."""
        times = one_by_one(self.design, self.busy(max(self.steps, 1) if self.products == "events" else 2))
        cycles = times.interval * self.steps
        return self._figures("step by step", times.interval, times.first, times.latency, cycles, self._one_step())

    @cached_property
    def energies(self) -> tuple[Energy, Energy] | None:
        """What a step takes pipelined, and step by step on the same board; None if there are no prices for the board.

        Where products take as long as the events ask for, operators and what belongs to them work for the mean of the
        steps.
        """
        if not has_prices(self.plan.board):
            return None
        activity = None if self.products == "stream" else self._activity()
        plan, steps = self.plan, max(self.steps, 1)
        pipelined, one_by_one = (
            priced(
                plan.design, plan.parallel, plan.graph, plan.resources, each.interval,
                items=steps, cycles=each.cycles if self.steps else each.first, activity=activity,
            )
            for each in (self.pipelined, self.step_by_step)
        )  # fmt: skip
        return pipelined, one_by_one

    def _activity(self) -> dict[str, float]:
        """Cycles of work a step as a share of those without events."""
        whole = works(self.design, self.plan.parallel, None, 1)[0]
        done = self.busy(max(self.steps, 1)).mean(axis=0) / whole
        return {each.name: float(share) for each, share in zip(self.design.operators, done, strict=True)}

    def _figures(self, name: str, interval: float, first: float, latency: float, cycles: float, memory: int) -> Figures:
        rate = self.plan.board.clock / interval if interval else 0.0
        return Figures(name, interval, first, latency, rate, cycles, memory)

    def _one_step(self) -> int:
        """Bits of activations, step by step: events as long as they are under way, sums, what stages keep."""
        design = self.design
        bits = buffers(self.graph).kept
        for each in design.products:
            kept = 1 + design.order.kept(each.link)
            bits += kept * design.sizes[each.pre] * design.neurons[each.pre].event_bits
            bits += design.sizes[each.post] * each.sum_bits
        return bits

    def __repr__(self) -> str:
        return f"<Schedule of {self.design.name} on {self.plan.board.name}: a step every {self.interval:,.10g} cycles>"

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return {
            "network": self.design.name,
            "board": self.plan.board.name,
            "products": self.products,
            "steps": self.steps,
            "pipelined": self.pipelined.to_dict(),
            "step_by_step": self.step_by_step.to_dict(),
            "closed_form": {
                "interval": float(self.bound.interval),
                "slowest": self.bound.slowest,
                "stage": self.bound.stage,
                "loop": float(self.bound.loop),
                "around": list(self.bound.around),
            },
        }

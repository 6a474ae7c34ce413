"""What an engine writes a run to: the Sink protocol and the facts of the run that come before the first event.

Time convention, here and in every trace: step ``t`` (numbered from 0) carries the time stamp ``t * dt``, for events and
for states alike. A recorded state is the value at the end of its step, after the reset.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy.typing as npt

from neuromorph.errors import TraceError

Array = npt.NDArray[Any]


class Recording(NamedTuple):
    """How one recorded state is written down.

    Attributes
    ----------
    unit : str
        Unit in which traces show it (``""`` if dimensionless).
    scale : float
        SI value = value in ``unit`` * scale. Engines hand over SI values; the trace holds values in ``unit``.
    every : int
        Recorded every ``every``-th step.
    """

    unit: str = ""
    scale: float = 1.0
    every: int = 1


@dataclass(frozen=True)
class RunMeta:
    """What is known of a run before its first step.

    Attributes
    ----------
    network : str
        Name of the network.
    dt : float
        Length of a step in seconds.
    steps : int
        Steps planned in this run.
    seed : int
    populations : mapping of str to int
        Size of every population, recorded or not.
    states : mapping of (population, variable) to Recording
        A plain ``(unit, scale, every)`` tuple is accepted too.
    provenance : mapping
        Versions, model text and hash, machine, placement: strings, numbers, arrays and nested mappings of them.
    recorded : tuple of str or None
        Populations whose events are recorded; None: all.
    first_step : int
        Number of the run's first step (a run that continues an earlier one does not start at 0).
    """

    network: str
    dt: float
    steps: int
    seed: int
    populations: Mapping[str, int]
    states: Mapping[tuple[str, str], Recording] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    recorded: tuple[str, ...] | None = None
    first_step: int = 0

    def __post_init__(self) -> None:
        if not self.dt > 0:
            raise TraceError(f"run of {self.network!r}: dt must be positive, got {self.dt}", dt=self.dt)
        object.__setattr__(self, "populations", dict(self.populations))
        object.__setattr__(self, "states", {key: Recording(*rec) for key, rec in self.states.items()})
        object.__setattr__(self, "provenance", dict(self.provenance))
        named = {population for population, _ in self.states} | set(self.recorded or ())
        unknown = sorted(named - set(self.populations))
        if unknown:
            raise TraceError(
                f"run of {self.network!r}: {', '.join(unknown)} recorded but not among the populations; "
                f"there are {', '.join(self.populations) or 'none'}",
                unknown=tuple(unknown),
            )

    @property
    def dt_ms(self) -> float:
        """Length of a step in ms."""
        return self.dt * 1e3

    @property
    def event_populations(self) -> tuple[str, ...]:
        """Populations whose events are recorded, in the network's order."""
        return tuple(name for name in self.populations if self.recorded is None or name in self.recorded)


class Sink(Protocol):
    """Receives a run in time order. Sinks copy what they keep: callers may reuse their arrays."""

    def open(self, meta: RunMeta) -> None:
        """Begin; called once, before anything else."""

    def events(self, population: str, steps: Array, ids: Array, values: Array | None = None) -> None:
        """Append events of one population, ordered by step.

        Parameters
        ----------
        steps : int64 (n,)
            Step of each event, no earlier than the events before.
        ids : uint32 (n,)
            Index of each neuron within its population.
        values : float32 (n,) or None
            Values of graded events; None: spikes of value 1. float64 and int32 are kept as they are.
        """

    def states(self, population: str, variable: str, first_step: int, every: int, data: Array) -> None:
        """Append rows of a recorded state: row k is the SI value at the end of step ``first_step + k * every``.

        Parameters
        ----------
        data : (rows, neurons)
            float32, float64 or int32; rows follow on those written before.
        """

    def extra(self, path: str, array: Any, attrs: Mapping[str, Any] | None = None, *, append: bool = False) -> None:
        """Keep an array (or string, or number) of the run at ``path`` below ``/run``, for example ``costs/energy``.

        ``append=True`` lengthens the array that is there along its first axis, so that per-step costs can stream.
        Otherwise what was there is replaced.
        """

    def flush(self) -> None:
        """Make everything so far safe against the end of this process."""

    def close(self, steps: int | None = None) -> None:
        """Finish. ``steps``: steps really done if not those planned (interrupted run). Closing again is harmless."""

"""What an engine writes a run to: the Sink protocol and the facts of the run that come before the first event.

Time convention, here and in every trace: step ``t`` (numbered from 0) carries the time stamp ``t * dt``, for events and
for states alike. A recorded state is the value at the end of its step, after the reset.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
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
    ids : mapping of (owner, variable) to int64 (n,)
        What the columns of a state are where they are not all neurons of a population: for a projection, the numbers of
        its synapses or of the neurons that have the state; ascending.
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
    ids: Mapping[tuple[str, str], npt.NDArray[np.int64]] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        if not self.dt > 0:
            raise TraceError(f"run of {self.network!r}: dt must be positive, got {self.dt}", dt=self.dt)
        object.__setattr__(self, "populations", dict(self.populations))
        object.__setattr__(self, "states", {key: Recording(*rec) for key, rec in self.states.items()})
        object.__setattr__(self, "provenance", dict(self.provenance))
        named = {key[0] for key in self.states if key not in self.ids} | set(self.recorded or ())
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

    def ids_of(self, owner: str, variable: str) -> npt.NDArray[np.int64]:
        """What each column of a recorded state is: a neuron, or the number of a synapse."""
        given = self.ids.get((owner, variable))
        return np.arange(self.populations[owner], dtype=np.int64) if given is None else given

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

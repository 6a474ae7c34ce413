"""Schedules of a run and what they take; printed in a terminal, tables in a notebook."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import MappingError

from .work import Work

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

NAMES = ("layer by layer", "step by step", "pipelined")
CAUSES = {
    "work": "updating and sending",
    "take": "packets and synapses",
    "travel": "packets on their way",
    "room": "waiting for room",
    "network": "links",
}
"""What the longest path consists of."""


@dataclass(frozen=True, eq=False)
class Schedule:
    """One way to do the work of a run.

    Attributes
    ----------
    name : str
        One of :data:`NAMES`.
    seconds : float
        Of the whole run.
    answers : float64 (tokens,)
        When each token's answer is out: all PEs of the last stage have sent their events of its step.
    latencies : float64 (tokens,)
        Seconds from when the first PE begins with a token to its answer. A pipeline takes a token as soon as it has
        room, so here each waits behind as many as fit.
    paced : float64 (tokens,)
        The same if tokens come one by one: as fast as the step-by-step schedule takes them, if this one can.
    waiting : int64 (parts,)
        Most packets that a PE must have room for at one time.
    queue_bytes : int64 (parts,)
        Bytes of SRAM for them.
    more_bytes : int64 (parts,)
        Of these, what the event FIFO that the program has already counted does not give.
    energy : dict of str to float
        Joules of the whole run by cause, as in :data:`neuromorph.mapping.spinnaker2.energy.CAUSES`.
    messages : int
        Packets in every step that take a barrier's place.
    busy : float64 (parts,)
        Share of the time in which a PE works.
    """

    name: str
    seconds: float
    answers: Floats
    latencies: Floats
    paced: Floats
    waiting: Ints
    queue_bytes: Ints
    more_bytes: Ints
    energy: dict[str, float]
    messages: int
    busy: Floats

    @property
    def interval(self) -> float:
        """Seconds from answer to answer, on average; of a single token, until it is there."""
        return mean_interval(self.answers)

    @property
    def throughput(self) -> float:
        """Tokens a second."""
        return 1.0 / self.interval

    @property
    def latency(self) -> float:
        """Mean of the latencies."""
        return float(self.latencies.mean())

    @property
    def paced_latency(self) -> float:
        """Mean of ``paced``."""
        return float(self.paced.mean())

    @property
    def joules(self) -> float:
        """Of the whole run."""
        return sum(self.energy.values())


@dataclass(frozen=True, eq=False)
class Loop:
    """PEs that wait for one another: none can be a step ahead of any other of them.

    Attributes
    ----------
    parts : int64
    layer : str
        The populations that they hold.
    interval : float
        Seconds a step that they would take if they waited for no other PE.
    """

    parts: Ints
    layer: str
    interval: float


@dataclass(frozen=True, eq=False, repr=False)
class Schedules:
    """What schedules of one run take; printed in a terminal, tables in a notebook.

    Attributes
    ----------
    network, machine : str
    work : Work
    layers : tuple of str
        The sets of populations that PEs hold.
    layer_of : int64 (parts,)
    rows : tuple of Schedule
        In the order of :data:`NAMES`.
    depth : int
        Steps whose packets a PE keeps in the pipelined schedule.
    depths : dict of int to float
        Seconds from answer to answer for each depth that was tried.
    loops : tuple of Loop
        The slowest first.
    spent : dict of str to dict of str to float
        Seconds of the longest path of the pipelined schedule, by layer and by cause of :data:`CAUSES`.
    start, done : float64 (steps, parts)
        Seconds, when each PE begins a step and is done with it in the pipelined schedule.
    free_bytes : int64 (parts,)
        Of each PE's SRAM.
    entries : int
        Entries of the fullest routing table, those for the handshake included.
    """

    network: str
    machine: str
    work: Work
    layers: tuple[str, ...]
    layer_of: Ints
    rows: tuple[Schedule, ...]
    depth: int
    depths: dict[int, float]
    loops: tuple[Loop, ...]
    spent: dict[str, dict[str, float]]
    start: Floats
    done: Floats
    free_bytes: Ints
    entries: int

    def __getitem__(self, name: str) -> Schedule:
        """A schedule by its name.

        Raises
        ------
        MappingError
            If there is none.
        """
        for row in self.rows:
            if row.name == name:
                return row
        raise MappingError(f"no schedule {name!r}; there are {', '.join(NAMES)}", name=name)

    @property
    def bottleneck(self) -> Loop:
        """The PEs that would take longest even if they waited for no other; no queue makes the pipeline faster."""
        return self.loops[0]

    def fits(self, name: str = "pipelined") -> bool:
        """Whether the PEs have room for the queues of a schedule."""
        return bool((self[name].more_bytes <= self.free_bytes).all())

    def trace_events(self) -> dict[str, Any]:
        """The pipelined schedule in the trace event format: a process for each layer, a track for each of its PEs.

        :func:`~neuromorph.mapping.pipeline.timeline.write_trace` writes it for trace viewers.
        """
        from .table import trace_events

        return trace_events(self)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        from .table import plain

        return plain(self)

    def __str__(self) -> str:
        from neuromorph.engine.tables import as_text

        from .table import summary, tables

        return as_text(summary(self), tables(self))

    def __repr__(self) -> str:
        return f"<Schedules of {self.network}: {self.work.steps} steps on {self.machine}>"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Any]:
        """Tables that fit the width of the terminal."""
        from neuromorph.engine.tables import as_rich

        from .table import summary, tables

        return as_rich(summary(self), tables(self))

    def _repr_html_(self) -> str:
        from neuromorph.engine.tables import as_html

        from .table import summary, tables

        return as_html(summary(self), tables(self))


def mean_interval(answers: Floats) -> float:
    """Seconds from answer to answer, on average; of a single one, until it is there."""
    if len(answers) == 1:
        return float(answers[0])
    return float(answers[-1] - answers[0]) / (len(answers) - 1)

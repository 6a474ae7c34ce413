"""Which neurons share a PE if layers are to overlap: no PE has two layers, and each layer gets PEs by its work."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from neuromorph.errors import MappingError

from ...partition import part_bytes, part_counts
from ...spinnaker2.costs import neuron_work
from ...spinnaker2.formats import plan
from ...spinnaker2.layout import offsets
from ...spinnaker2.ledger import PHASES
from ...spinnaker2.memory import hypergraph
from .work import Work, count_work, require_count, run_of

if TYPE_CHECKING:
    from neuromorph.trace import Trace

    from ...spinnaker2.program import SpiNNaker2Program

Floats = npt.NDArray[np.float64]


def layer_partition(
    program: SpiNNaker2Program, pes: int, trace: Trace | None = None, *, room: int | None = None
) -> npt.NDArray[np.int32]:
    """A partition for a pipeline, from the work of a run: give it to ``SpiNNaker2(partition=...)``.

    A PE that holds neurons of two layers ties these together: neither can be a step ahead. So each population gets PEs
    of its own: as many as hold it, and then one after the other to the population whose PEs have most to do in a step.
    Its neurons are shared out in their order, with about equal work on each PE. What receiving takes depends on the
    partition; a partition made from a run of one like it is the better one.

    Parameters
    ----------
    program : SpiNNaker2Program
        Of the same network, in any partition.
    pes : int
        At most; no PE is without neurons.
    trace : Trace, optional
        Default: the program's last run.
    room : int, optional
        Bytes that each PE keeps free for queues; default: as many as its event FIFO has.

    Returns
    -------
    int32 (neurons,)
        The part of each neuron, populations one after another.

    Raises
    ------
    MappingError
        If so many PEs cannot hold the populations apart, or the room leaves them nothing.
    TargetError
        If nothing has run; or see :func:`.schedules`.
    """
    trace = run_of(program, trace)
    require_count(pes, f"{program.network.name}: pes")
    mapped = program.mapping
    lowered, first, options = mapped.lowered, offsets(mapped.lowered), program.target.options()
    # The compiler begins with a small directory of sending PEs and makes it larger; it may hold all of them.
    begins = plan(lowered, mapped.machine, options)
    layout = plan(lowered, mapped.machine, replace(options, directory=max(pes, options.directory)))
    most = min(begins.limits.vertices, layout.limits.vertices)
    bytes_free = layout.limits.bytes - (layout.fixed["fifo"] if room is None else room) * layout.limits.grain
    if (room is not None and room < 0) or bytes_free <= 0:
        raise MappingError(
            f"{lowered.name}: room for queues is {room} bytes; it must be at least 0, and below the "
            f"{layout.limits.bytes // layout.limits.grain:,} bytes that neurons and queues share on a PE",
            room=room,
        )
    each, received = _work(program, count_work(program.deployed, trace))
    graph = hypergraph(lowered, layout)
    own = [p.index for p in lowered.populations if p.follows is None]
    least = {k: -(-lowered.populations[k].size // most) for k in own}
    while True:
        if pes < sum(least.values()):
            need = ", ".join(f"{lowered.populations[k].name} {count}" for k, count in least.items())
            raise MappingError(
                f"{lowered.name}: {pes} PEs do not hold its populations apart from one another: at least "
                f"{sum(least.values())} are needed ({need})",
                pes=pes,
            )
        cycles = {k: float(each[first[k] : first[k + 1]].sum()) for k in own}
        given = dict(least)
        for _ in range(pes - sum(least.values())):
            able = [k for k in own if given[k] < lowered.populations[k].size]
            if not able:
                break
            given[max(able, key=lambda k: cycles[k] / given[k] + received[k])] += 1
        part, begin = np.zeros(first[-1], np.int32), {}
        for k in own:
            begin[k] = sum(given[j] for j in own if j < k)
            part[first[k] : first[k + 1]] = begin[k] + _shares(each[first[k] : first[k + 1]], given[k])
        for p in lowered.populations:
            if p.follows is not None:
                at = first[p.follows.population]
                part[first[p.index] : first[p.index + 1]] = part[at : at + p.size]
        held, count = part_bytes(graph, part), part_counts(part)
        over = np.maximum(held / bytes_free, count / most)
        full = {k: float(over[begin[k] : begin[k] + given[k]].max()) for k in own}
        if max(full.values()) <= 1:
            return part
        for k, times in full.items():
            if times > 1:
                least[k] = max(given[k] + 1, int(np.ceil(given[k] * times)))


def _shares(work: Floats, count: int) -> npt.NDArray[np.int64]:
    """A PE for each of some neurons, in order: about equal work on each, and at least one neuron."""
    size, until = len(work), np.cumsum(work)
    share = (until - work / 2) * count / max(float(until[-1]), 1e-300)
    place = np.clip(share.astype(np.int64), np.arange(size) - size + count, np.arange(size))
    return np.asarray(np.minimum(place, count - 1), np.int64)


def _work(program: SpiNNaker2Program, work: Work) -> tuple[Floats, Floats]:
    """Cycles in a step of each neuron, and of receiving packets on each population's PEs, which all of them do."""
    mapped, t = program.mapping, work.totals
    lowered = mapped.lowered
    sizes = np.array([p.size for p in lowered.populations])
    rates = {p.name: n / t.steps for p, n in zip(lowered.populations, t.spikes.sum(1) / sizes, strict=True)}
    receive = t.cycles[:, PHASES.index("receive")].sum(0) / t.steps
    held = mapped.held > 0
    received = (held * receive).sum(1) / np.maximum(held.sum(1), 1)
    return neuron_work(lowered, mapped.layout, mapped.machine.constants, rates), np.asarray(received, np.float64)

"""One step's packets, played through the packet-level model of the network."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from neuromorph.errors import TargetError

from ..noc import Flow, send_packets
from .instance import Deployed
from .layout import PAYLOAD_BITS, offsets
from .plastic.footprints import view_words

if TYPE_CHECKING:
    from neuromorph.trace import Trace
    from neuromorph.trace.events import Events


def injections(
    deployed: Deployed, fired: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Key group and time (s from the start of the step) of the packets of neurons that fire in one step.

    Parameters
    ----------
    fired : int64
        Vertices, ascending, once for each packet. Those that reach nobody send nothing.
    """
    mapped, c = deployed.mapping, deployed.mapping.machine.constants
    group = mapped.routing.keys.group[fired]
    sends = fired[group >= 0]
    part = mapped.part[sends]
    order = np.argsort(part, kind="stable")
    before = np.searchsorted(part[order], part[order])
    rank = np.empty(len(sends), np.int64)
    rank[order] = np.arange(len(sends)) - before + 1
    clock = c.si(f"level.{'low' if deployed.clock.level == 'low' else 'high'}.clock")
    cycles = deployed.costs.before[sends] + rank * c.count("cycles.packet_send")
    return group[group >= 0].astype(np.int64), cycles / clock


def recorded_events(deployed: Deployed, trace: Trace) -> Iterator[tuple[int, Events]]:
    """Events of every population that sends packets, with its index.

    Raises
    ------
    TargetError
        If the events of one of them were not recorded.
    """
    mapped = deployed.mapping
    first = offsets(mapped.lowered)
    for k, population in enumerate(mapped.lowered.populations):
        if not (mapped.routing.keys.group[first[k] : first[k + 1]] >= 0).any():
            continue
        if not population.record_events:
            raise TargetError(
                f"population {population.name} sends packets but its events are not recorded: the packets of a step "
                "cannot be told from the trace",
                population=population.name,
            )
        yield k, trace.events(population.name)


def packet_flow(deployed: Deployed, trace: Trace, step: int) -> Flow:
    """See :meth:`SpiNNaker2Program.packet_flow`; with levels chosen step by step, PEs send at the high level."""
    mapped = deployed.mapping
    first = offsets(mapped.lowered)
    fired = [
        first[k] + np.asarray(events.ids, np.int64)[np.asarray(events.steps) == step]
        for k, events in recorded_events(deployed, trace)
    ]
    words = np.repeat(view_words(mapped.lowered), np.diff(first))
    everyone = np.sort(np.concatenate([np.repeat(np.arange(len(words)), words), *fired]))
    graded = words.any() or any(population.graded for population in mapped.lowered.populations)
    payload = PAYLOAD_BITS if graded else 0
    group, time = injections(deployed, everyone)
    return send_packets(mapped.routing.routes, mapped.machine, group, time, payload)

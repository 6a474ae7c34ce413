"""Plastic projections of a running instance: inboxes that packets fill, and what events cost when they act."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neuromorph.engine.memory import Memory, address
from neuromorph.engine.schedule import Call, Compiled
from neuromorph.lowering.plastic import Group, PlasticProjection

from ..layout import offsets
from ..ledger import MAX_LATE, Ledger
from .costs import visits
from .inbox import Inbox, plastic_kernel, tally_item

if TYPE_CHECKING:
    from ..instance import Deployed


class PlasticRows:
    """What the PEs' plastic synapses need besides the engine's kernels.

    Parameters
    ----------
    compiled : Compiled
        Taken apart.
    memories : sequence of Memory
        Of the populations.

    Attributes
    ----------
    inboxes : tuple of Inbox
        Of each plastic projection.
    """

    def __init__(self, compiled: Compiled, deployed: Deployed, memories: Sequence[Memory], ledger: Ledger) -> None:
        self._deployed, self._memories, self._ledger = deployed, memories, ledger
        self._lowered = [each.lowered for each in compiled.plastic]
        late = MAX_LATE if deployed.clock.ticked else 0
        self.inboxes = tuple(
            Inbox.of(plastic, spread, compiled.graded(plastic.pre), late)
            for plastic, spread in zip(self._lowered, deployed.spreads, strict=True)
        )
        self._keep: list[npt.NDArray[Any]] = []

    def receive(self) -> list[Call]:
        """Work of a step that takes packets from the FIFOs."""
        kernel, ledger = plastic_kernel("receive") if self.inboxes else None, self._ledger
        first = offsets(self._deployed.mapping.lowered)
        calls: list[Call] = []
        for plastic, inbox in zip(self._lowered, self.inboxes, strict=True):
            assert kernel is not None
            item = inbox.item(
                self._memories[plastic.pre],
                source_part=address(ledger["part"]) + 4 * int(first[plastic.pre]),
                first=int(first[plastic.pre]),
                parts=self._deployed.mapping.parts,
                lag=address(ledger["lag"]),
                drops=address(ledger["drops"]),
                special=address(ledger["special"]),
            )
            calls.append((kernel.address, item))
        return calls

    def tally(self) -> list[Call]:
        """Work that counts the events that act in a step, for the ledger."""
        parts, ledger = self._deployed.mapping.parts, self._ledger
        counter = 0
        calls: list[Call] = []
        for plastic, inbox, number in self._paths():
            path = plastic.program.paths[number]
            applied = address(ledger["synapses"]) + 8 * parts * plastic.index
            totals = {
                "applied": applied if path.name == "on_pre" and visits(path) else 0,
                "visits": address(ledger["counted"]) + 8 * parts * counter,
                "events": address(ledger["counted"]) + 8 * parts * (counter + 1),
            }
            counter += 2
            for group in plastic.routes[number] if path else ():
                part, lists = self._heard(plastic, inbox, path.end)
                ptr = self._pointer(group) if visits(path) else None
                calls.append((plastic_kernel("tally").address, tally_item(lists, group.lag, ptr, part, **totals)))
        return calls

    def _paths(self) -> Iterator[tuple[PlasticProjection, Inbox, int]]:
        for plastic, inbox in zip(self._lowered, self.inboxes, strict=True):
            for number in range(len(plastic.program.paths)):
                yield plastic, inbox, number

    def _heard(self, plastic: PlasticProjection, inbox: Inbox, end: str) -> tuple[npt.NDArray[Any], dict[str, int]]:
        """The part of each source or target as events of the end list them, and the lists."""
        if end == "pre":
            return inbox.spread.part, inbox.lists
        memory, first = self._memories[plastic.post], int(offsets(self._deployed.mapping.lowered)[plastic.post])
        part = self._ledger["part"][first : first + plastic.n_post]
        lists = {"fired": address(memory.fired), "counts": address(memory.counts), "stride": memory.stride}
        return part, lists | {"event_mask": memory.event_mask}

    def _pointer(self, group: Group) -> npt.NDArray[np.int64]:
        assert group.ptr is not None  # of projections that are taken apart
        ptr = np.ascontiguousarray(group.ptr)
        self._keep.append(ptr)
        return ptr

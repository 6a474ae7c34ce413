"""Times of every PE and step without a barrier, and what bounds them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .handshake import Handshake, Ways
from .result import Floats, Ints, Loop
from .work import Work

if TYPE_CHECKING:
    from ...spinnaker2.instance import Deployed


@dataclass(frozen=True, eq=False)
class Costs:
    """Nanoseconds of the pipelined schedule, and its handshake.

    Attributes
    ----------
    work, others, network, last : float64 (steps, parts)
    take : float64 (steps, stages, parts)
        See :func:`._kernels.run`.
    wake : float
    shake : Handshake
    depth : int
    """

    work: Floats
    others: Floats
    take: Floats
    network: Floats
    last: Floats
    wake: float
    shake: Handshake
    depth: int

    @classmethod
    def of(cls, deployed: Deployed, work: Work, shake: Handshake, depth: int) -> Costs:
        c = deployed.mapping.machine.constants
        clock = c.si(f"level.{'low' if deployed.clock.level == 'low' else 'high'}.clock")
        ns = 1e9 / clock
        last = np.where(work.packets.sum(1) > 0, deployed.costs.service, c.count("handshake.take"))
        take = work.taking + shake.put_aside * work.packets.astype(np.int64)
        return cls(
            np.asarray((work.own + shake.send) * ns, np.float64),
            np.full(work.own.shape, shake.take * ns),
            np.asarray(take * ns, np.float64),
            work.network,
            np.asarray(last * ns, np.float64),
            c.si("cycles.step") / clock * 1e9,
            shake,
            depth,
        )

    def arguments(self, senders: Ways | None = None, room: bool = True) -> tuple[Any, ...]:
        s, r = senders or self.shake.senders, self.shake.room
        ptr = r.ptr if room else np.zeros_like(r.ptr)
        costs = self.work, self.others, self.take, self.network, self.last
        return *costs, s.ptr, s.other, s.latency, s.stage, ptr, r.other, r.latency, self.depth, self.wake

    def run(self, pace: Floats | None = None) -> tuple[Floats, Floats, Floats]:
        """When PEs begin a step, have sent its packets and are done with it; not before so many ns a step."""
        from ._kernels import run

        kernel: Any = run
        start, sent, done = kernel(*self.arguments(), np.zeros(self.work.shape[1]) if pace is None else pace)
        return start, sent, done

    def alone(self, member: npt.NDArray[np.int32]) -> Floats:
        """When each PE is done with each step if it waits for those of its own loop only."""
        from ._kernels import run

        kernel: Any = run
        free = np.zeros(self.work.shape[1])
        return np.asarray(kernel(*self.arguments(self.shake.senders.within(member), room=False), free)[2])


def ends(work: Work, times: tuple[Floats, Floats, Floats]) -> tuple[Floats, Floats]:
    """When each token begins and is answered, in seconds."""
    start, sent, _ = times
    answers = sent[work.depth :, work.member[-1]].max(1) * 1e-9
    return start[: work.tokens, work.member[0]].min(1) * 1e-9, answers


def loops_of(work: Work, costs: Costs, layers: tuple[str, ...], layer_of: Ints, parts: int) -> tuple[Loop, ...]:
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    s = costs.shake.senders
    waiting = np.repeat(np.arange(parts), np.diff(s.ptr))
    joined = coo_matrix((np.ones(len(waiting), np.int8), (s.other, waiting)), shape=(parts, parts))
    count, member = connected_components(joined.tocsr(), directed=True, connection="strong")
    done = costs.alone(member.astype(np.int32))
    each = (done[-1] - done[0]) / max(work.steps - 1, 1) if work.steps > 1 else done[-1]
    order = np.argsort(member, kind="stable")
    found = []
    for own in np.split(order, np.searchsorted(member[order], np.arange(1, count))):
        held = list(dict.fromkeys(layers[k] for k in np.unique(layer_of[own])))
        found.append(Loop(np.sort(own), "; ".join(held), float(each[own].max()) * 1e-9))
    return tuple(sorted(found, key=lambda loop: -loop.interval))

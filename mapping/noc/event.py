"""A packet-level model of the network: every packet queues, first in first out, at every link of its tree."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neuromorph.errors import MappingError

from ..machine import Machine
from ..route.trees import Routes, link_steps
from .timing import timing

_DAYS_PER_LATENCY = 8
_YEAR = 1 << 15
_ROOM = 1 << 16


@dataclass(frozen=True, repr=False)
class Flow:
    """What became of injected packets.

    Attributes
    ----------
    first, last : float64 (packets,)
        Time (s) at which the first and the last copy of each packet arrived.
    copies : int64 (packets,)
        Copies that arrived (one for each destination tile).
    mean_latency : float
        Mean over all copies of arrival - injection, s; nan without packets.
    makespan : float
        Time at which the last copy arrived; 0 without packets.
    packets : int64 (links,)
        Packets that passed each link.
    wait : float64 (links,)
        Time (s) that packets waited for each link, together.
    peak : int64 (links,)
        Most packets that waited for or were in service of a link at the same time.
    """

    first: npt.NDArray[np.float64]
    last: npt.NDArray[np.float64]
    copies: npt.NDArray[np.int64]
    mean_latency: float
    makespan: float
    packets: npt.NDArray[np.int64]
    wait: npt.NDArray[np.float64]
    peak: npt.NDArray[np.int64]

    def __repr__(self) -> str:
        """The sums, and no arrays."""
        return (
            f"<Flow: packets {len(self.copies):,}, copies {int(self.copies.sum()):,}, mean latency "
            f"{self.mean_latency * 1e9:.4g} ns, last arrival {self.makespan * 1e6:.4g} us>"
        )


@dataclass(frozen=True)
class Forest:
    """Multicast trees ready for the event loop; see :func:`forest`."""

    ptr: npt.NDArray[np.int64]
    link: npt.NDArray[np.int32]
    child: npt.NDArray[np.int32]
    sibling: npt.NDArray[np.int32]
    service: npt.NDArray[np.float64]
    latency: npt.NDArray[np.float64]
    day: float
    apart: bool


def forest(
    ptr: npt.NDArray[np.int64],
    link: npt.NDArray[np.int32],
    parent: npt.NDArray[np.int32],
    service: npt.NDArray[np.float64],
    latency: npt.NDArray[np.float64],
) -> Forest:
    """Trees of links with service times and latencies, of any network.

    Parameters
    ----------
    ptr : int64 (trees + 1,), link : int32, parent : int32
        Hops of each tree, as :func:`~neuromorph.mapping.route.link_steps` lists them.
    service, latency : float64 (links,)
        Any unit of time.

    Raises
    ------
    MappingError
        If a link that leads to another has no latency.
    """
    from ._event_kernel import children

    child, sibling = children(ptr, parent)
    # Hops with a hop after them decide how soon one event can cause another.
    passed_on = link[child >= 0]
    soonest = float(np.asarray(latency)[passed_on].min()) if len(passed_on) else 1.0
    if soonest <= 0:
        raise MappingError("every link that leads to another needs a latency above 0")
    return Forest(
        np.asarray(ptr, np.int64),
        link,
        child,
        sibling,
        np.asarray(service, np.float64),
        np.asarray(latency, np.float64),
        soonest / _DAYS_PER_LATENCY,
        _apart(ptr, link, child, sibling),
    )


def machine_forest(routes: Routes, machine: Machine, groups: npt.NDArray[np.int64], payload_bits: int = 0) -> Forest:
    """The trees of some groups on a machine, times in seconds."""
    times = timing(machine, payload_bits)
    return forest(*link_steps(routes, machine, groups), times.service, times.latency)


def send_packets(
    routes: Routes,
    machine: Machine,
    group: npt.NDArray[np.int64],
    time: npt.NDArray[np.float64],
    payload_bits: int = 0,
) -> Flow:
    """Send packets into an empty machine.

    Parameters
    ----------
    routes : Routes
    machine : Machine
    group : int64 (packets,)
        Group of each packet.
    time : float64 (packets,)
        When its PE injects it, s. Any order; packets of one time keep theirs.
    payload_bits : int
        0, 32, 64 or 128.

    Notes
    -----
    Queues are unbounded. At up to about 60 % of the load at which a network with several virtual channels saturates,
    latencies are those of a flit-level model within a few per cent; beyond that they are too low.
    """
    used, tree = np.unique(group, return_inverse=True)
    return simulate(machine_forest(routes, machine, used, payload_bits), tree.ravel(), time)


def simulate(trees: Forest, tree: npt.NDArray[np.int64], time: npt.NDArray[np.float64]) -> Flow:
    """Send packets into an empty network.

    Parameters
    ----------
    trees : Forest
    tree : int64 (packets,), time : float64 (packets,)
        Tree and time of injection of each packet; packets of one time go in their order.

    Raises
    ------
    MappingError
        If an injected packet's tree has no hop.
    """
    from ._event_kernel import first_hops, run

    if (np.diff(trees.ptr)[tree] == 0).any():
        raise MappingError("a packet was sent on a tree without hops: its group has no destination")
    network = trees.link, trees.child, trees.sibling, trees.service, trees.latency
    order = np.argsort(time, kind="stable")
    root = trees.ptr[tree[order]]
    injected = np.asarray(time, np.float64)[order]
    number = np.arange(len(order))
    start, ahead = injected, None
    if trees.apart:
        start, *ahead = first_hops(root, trees.link, trees.service, trees.latency, injected)
        number = np.argsort(start, kind="stable")
        start, root = start[number], trees.child[root[number]].astype(np.int64)
    room, done = _ROOM, False
    while not done:
        first, last, copies, total, packets, wait, peak, done = run(
            root, *network, start, number, injected, trees.day, _YEAR, room
        )
        room *= 8
    if ahead is not None:
        packets, wait, peak = packets + ahead[0], wait + ahead[1], np.maximum(peak, ahead[2])
    back = np.argsort(order, kind="stable")
    first, last, copies = first[back], last[back], copies[back]
    count = int(copies.sum())
    return Flow(
        first,
        last,
        copies,
        total / count if count else float("nan"),
        float(last.max()) if len(last) else 0.0,
        packets,
        wait,
        peak,
    )


def _apart(
    ptr: npt.NDArray[np.int64],
    link: npt.NDArray[np.int32],
    child: npt.NDArray[np.int32],
    sibling: npt.NDArray[np.int32],
) -> bool:
    """Whether links that come first on a tree never come later on one, and lead to one next hop."""
    root = np.zeros(len(link), bool)
    root[ptr[:-1][np.diff(ptr) > 0]] = True
    return bool(
        (child[root] >= 0).all()
        and (sibling[child[root]] < 0).all()
        and not np.isin(link[~root], np.unique(link[root])).any()
    )

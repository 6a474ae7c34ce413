"""Link loads and an M/D/1 estimate of latency: instant, good enough to optimise a mapping by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..machine import Machine
from ..route.trees import Routes, link_loads, link_steps
from .timing import timing

_CHUNK = 4096


@dataclass(frozen=True)
class LinkReport:
    """Loads of all links under given rates.

    Attributes
    ----------
    load : float64 (links,)
        Packets a second.
    utilisation : float64 (links,)
        Load times service time; above 1 the link cannot carry it.
    wait : float64 (links,)
        Mean time (s) that a packet waits for the link; infinite from utilisation 1.
    latency : float64 (g,)
        Mean time (s) from a group's PE to its destination tiles, nan for groups without packets.
    """

    load: npt.NDArray[np.float64]
    utilisation: npt.NDArray[np.float64]
    wait: npt.NDArray[np.float64]
    latency: npt.NDArray[np.float64]

    def hot_spots(self, machine: Machine, count: int = 5) -> list[tuple[str, float, float]]:
        """The busiest links: (where, packets a second, utilisation)."""
        order = np.argsort(-self.utilisation, kind="stable")[:count]
        return [
            (machine.link_name(link), float(self.load[link]), float(self.utilisation[link]))
            for link in order.tolist()
            if self.load[link] > 0
        ]


def md1_wait(utilisation: npt.NDArray[np.float64], service: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Mean wait in an M/D/1 queue, ``rho s / (2 (1 - rho))`` (Pollaczek and Khinchine); infinite from rho = 1."""
    with np.errstate(divide="ignore", invalid="ignore"):
        wait = utilisation * service / (2.0 * (1.0 - utilisation))
    return np.where(utilisation < 1.0, wait, np.inf)


def link_report(routes: Routes, machine: Machine, rate: npt.NDArray[np.float64], payload_bits: int = 0) -> LinkReport:
    """Loads, utilisation, waits and mean latencies when group g sends ``rate[g]`` packets a second."""
    from ._event_kernel import tree_latency

    times = timing(machine, payload_bits)
    load = link_loads(routes, machine, rate)
    utilisation = load * times.service
    wait = md1_wait(utilisation, times.service)
    latency = np.full(routes.n_groups, np.nan)
    active = np.flatnonzero(rate > 0)
    for at in range(0, len(active), _CHUNK):
        some = active[at : at + _CHUNK]
        latency[some] = tree_latency(*link_steps(routes, machine, some), wait + times.latency)
    return LinkReport(load, utilisation, wait, latency)

"""Recorded events through the packet model, step by step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..machine import Machine
from ..route.keys import Keys
from ..route.trees import Routes
from .event import machine_forest, simulate


@dataclass(frozen=True)
class StepFlows:
    """How the network carried the packets of each step.

    Attributes
    ----------
    step : int64 (k,)
        Steps with packets.
    packets : int64 (k,)
    makespan : float64 (k,)
        Time (s) from the start of the step until the last copy arrived.
    mean_latency : float64 (k,)
        Mean time (s) of a copy from its PE to its tile.
    wait : float64 (k,)
        Time (s) that packets waited for links, all together.
    peak, peak_link : int64 (k,)
        Longest queue of the step, the packet in service included, and its link id.
    link_packets : int64 (links,)
        Packets over each link in all steps.
    """

    step: npt.NDArray[np.int64]
    packets: npt.NDArray[np.int64]
    makespan: npt.NDArray[np.float64]
    mean_latency: npt.NDArray[np.float64]
    wait: npt.NDArray[np.float64]
    peak: npt.NDArray[np.int64]
    peak_link: npt.NDArray[np.int64]
    link_packets: npt.NDArray[np.int64]


def replay(
    keys: Keys,
    routes: Routes,
    machine: Machine,
    step: npt.NDArray[np.int64],
    neuron: npt.NDArray[np.int64],
    *,
    interval: float,
    payload_bits: int = 0,
) -> StepFlows:
    """Send the packets of recorded events; every step starts with an empty network, as behind a barrier.

    Parameters
    ----------
    keys, routes
        Of :func:`~neuromorph.mapping.route.route_network`.
    machine : Machine
    step, neuron : int64 (events,)
        Events in any order of steps. Neurons without destinations send nothing.
    interval : float
        Seconds between two packets of one PE, which sends in the order of the events, the first at the start of the
        step.
    payload_bits : int
        0, 32, 64 or 128.
    """
    group = keys.group[neuron].astype(np.int64)
    sent = np.flatnonzero(group >= 0)
    sent = sent[np.argsort(step[sent], kind="stable")]
    when, group = np.asarray(step, np.int64)[sent], group[sent]
    used, tree = np.unique(group, return_inverse=True)
    trees = machine_forest(routes, machine, used, payload_bits)
    time = (_turn(when, keys.source[group]) * interval).astype(np.float64)
    steps, first = np.unique(when, return_index=True)
    count = len(steps)
    makespan, latency, wait = np.zeros(count), np.zeros(count), np.zeros(count)
    peak, peak_link = np.zeros(count, np.int64), np.zeros(count, np.int64)
    link_packets = np.zeros(machine.links, np.int64)
    bounds = np.append(first, len(when))
    for k in range(count):
        rows = slice(bounds[k], bounds[k + 1])
        flow = simulate(trees, tree.ravel()[rows], time[rows])
        makespan[k], latency[k], wait[k] = flow.makespan, flow.mean_latency, flow.wait.sum()
        peak_link[k] = flow.peak.argmax()
        peak[k] = flow.peak[peak_link[k]]
        link_packets += flow.packets
    return StepFlows(steps, np.diff(bounds), makespan, latency, wait, peak, peak_link, link_packets)


def _turn(step: npt.NDArray[np.int64], part: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    """How many packets of the same step and part come before each."""
    order = np.lexsort((part, step))
    fresh = np.ones(len(order), bool)
    fresh[1:] = (np.diff(step[order]) != 0) | (np.diff(part[order]) != 0)
    start = np.flatnonzero(fresh)
    turn = np.empty(len(order), np.int64)
    turn[order] = np.arange(len(order)) - np.repeat(start, np.diff(np.append(start, len(order))))
    return turn

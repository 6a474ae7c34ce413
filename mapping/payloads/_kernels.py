"""Compiled loops over events and packets."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

Array = Any


@njit(cache=True, error_model="numpy")
def pack(step: Array, group: Array, value: Array, index: Array, most: int) -> Any:
    """Fill packets in the order of the events, which are sorted by step and group.

    Parameters
    ----------
    step, group : int64 (events,)
    value : int64 (events,)
        Bits of each value.
    index : int64 (groups,)
        Bits of a neuron's number; the first event of a packet has none.
    most : int
        Bits of a payload.

    Returns
    -------
    first : int64 (packets,)
        First event of each packet.
    used : int64 (packets,)
        Bits of the payload in use.
    """
    events = len(step)
    first, used = np.empty(events, np.int64), np.empty(events, np.int64)
    count = 0
    for e in range(events):
        if e > 0 and step[e] == step[e - 1] and group[e] == group[e - 1]:
            more = index[group[e]] + value[e]
            if used[count - 1] + more <= most:
                used[count - 1] += more
                continue
        first[count], used[count] = e, value[e]
        count += 1
    return first[:count], used[:count]


@njit(cache=True, error_model="numpy")
def carry(
    step: Array, group: Array, size: Array, links_ptr: Array, links: Array, service: Array, g_ptr: Array, g_parts: Array
) -> Any:
    """Send packets, sorted by step, over every link of their trees.

    Parameters
    ----------
    step, group, size : int64 (packets,)
        ``size`` is a row of ``service``.
    links_ptr : int64 (groups + 1,), links : int32
        Links that a packet of each group passes.
    service : float64 (sizes, links)
        Seconds that a packet takes a link.
    g_ptr : int64 (groups + 1,), g_parts : int32
        PEs that it reaches.

    Returns
    -------
    passed : int64 (links,)
        Packets over each link.
    total : float
        Sum over the steps of the time that the busiest link takes.
    worst, worst_link, worst_step : float, int, int
        The longest of these times, its link and its step; -1 without packets.
    most : int
        Most packets that one PE gets in one step.
    """
    passed = np.zeros(service.shape[1], np.int64)
    busy, seen = np.zeros(service.shape[1]), np.full(service.shape[1], -1, np.int64)
    parts = 0
    for k in range(len(g_parts)):
        parts = max(parts, g_parts[k] + 1)
    got, heard = np.zeros(parts, np.int64), np.full(parts, -1, np.int64)
    total, top, worst, worst_link, worst_step, most = 0.0, 0.0, 0.0, -1, -1, 0
    for n in range(len(step)):
        t, g = step[n], group[n]
        if n > 0 and t != step[n - 1]:
            total += top
            top = 0.0
        for k in range(links_ptr[g], links_ptr[g + 1]):
            link = links[k]
            if seen[link] != t:
                seen[link], busy[link] = t, 0.0
            busy[link] += service[size[n], link]
            passed[link] += 1
            top = max(top, busy[link])
            if busy[link] > worst:
                worst, worst_link, worst_step = busy[link], link, t
        for k in range(g_ptr[g], g_ptr[g + 1]):
            part = g_parts[k]
            if heard[part] != t:
                heard[part], got[part] = t, 0
            got[part] += 1
            most = max(most, got[part])
    return passed, total + top, worst, worst_link, worst_step, most

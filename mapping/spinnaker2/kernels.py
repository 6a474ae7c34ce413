"""Compiled helpers of the simulation: dropped packets, the event FIFO as a queue, load bins."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit


@njit(error_model="numpy")
def is_dropped(drops: Any, count: int, key: int) -> bool:
    """Whether an ascending list holds the key."""
    low, high = 0, count
    while low < high:
        middle = (low + high) >> 1
        if drops[middle] < key:
            low = middle + 1
        else:
            high = middle
    return low < count and drops[low] == key


@njit(error_model="numpy")
def fifo_drops(arrival: Any, ready: float, service: float, capacity: int, dropped: Any) -> int:
    """Run packets, sorted by arrival, through a FIFO that is served from ``ready`` on; mark and count those it drops.

    A packet waits in the FIFO until its service starts. One that arrives while ``capacity`` packets wait is dropped.
    """
    starts = np.empty(len(arrival), np.float64)
    taken, head, lost = 0, 0, 0
    free = ready
    for i in range(len(arrival)):
        while head < taken and starts[head] <= arrival[i]:
            head += 1
        if taken - head >= capacity:
            dropped[i] = True
            lost += 1
        else:
            start = max(free, arrival[i])
            starts[taken] = start
            taken += 1
            free = start + service
    return lost


@njit(cache=True, error_model="numpy")
def hop_times(link: Any, parent: Any, ptr: Any, cost: Any) -> Any:
    """Time at which a packet has passed each hop of its tree (parents stand before children)."""
    out = np.empty(len(link), np.float64)
    for g in range(len(ptr) - 1):
        for i in range(ptr[g], ptr[g + 1]):
            before = 0.0 if parent[i] < 0 else out[ptr[g] + parent[i]]
            out[i] = before + cost[link[i]]
    return out


@njit(cache=True, error_model="numpy")
def part_latency(ptr: Any, link: Any, times: Any, g_ptr: Any, g_parts: Any, part_link: Any) -> Any:
    """Latest arrival of each group's packet at each of its parts, whose tile is entered by ``part_link``."""
    out = np.zeros(len(g_parts), np.float64)
    entered = np.zeros(part_link.max() + 1 if len(part_link) else 1, np.float64)
    for g in range(len(ptr) - 1):
        for i in range(ptr[g], ptr[g + 1]):
            if link[i] < len(entered):
                entered[link[i]] = times[i]
        for k in range(g_ptr[g], g_ptr[g + 1]):
            out[k] = entered[part_link[g_parts[k]]]
    return out


@njit(error_model="numpy")
def fold_bins(bins: Any) -> None:
    """Halve the resolution of bins (bins, n): neighbours join, the second half becomes free."""
    half = len(bins) // 2
    for k in range(half):
        for i in range(bins.shape[1]):
            bins[k, i] = bins[2 * k, i] + bins[2 * k + 1, i]
    for k in range(half, len(bins)):
        for i in range(bins.shape[1]):
            bins[k, i] = 0

"""The compiled event loop of the packet model."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

Array = Any


@njit(cache=True, error_model="numpy")
def children(ptr: Array, parent: Array) -> Any:
    """First child and next sibling of every hop (positions in the list of all hops, -1: none)."""
    child, sibling = np.full(len(parent), -1, np.int32), np.full(len(parent), -1, np.int32)
    for tree in range(len(ptr) - 1):
        base = ptr[tree]
        for k in range(ptr[tree + 1] - 1, base - 1, -1):
            if parent[k] >= 0:
                sibling[k] = child[base + parent[k]]
                child[base + parent[k]] = k
    return child, sibling


@njit(cache=True, error_model="numpy")
def tree_latency(ptr: Array, link: Array, parent: Array, delay: Array) -> Array:
    """Mean over the leaves of each tree of the delays on the way from its root: float64 (trees,)."""
    out = np.full(len(ptr) - 1, np.nan)
    at = np.empty(len(link))
    leaf = np.ones(len(link), np.bool_)
    for tree in range(len(out)):
        base = ptr[tree]
        for k in range(base, ptr[tree + 1]):
            at[k] = delay[link[k]]
            if parent[k] >= 0:
                at[k] += at[base + parent[k]]
                leaf[base + parent[k]] = False
        total, count = 0.0, 0
        for k in range(base, ptr[tree + 1]):
            if leaf[k]:
                total += at[k]
                count += 1
        if count:
            out[tree] = total / count
    return out


@njit(cache=True, error_model="numpy")
def _before(when: Array, code: Array, a: int, b: int) -> Any:
    return when[a] < when[b] or (when[a] == when[b] and code[a] < code[b])


@njit(cache=True, error_model="numpy")
def _sort(when: Array, code: Array, picked: Array, other: Array, count: int) -> None:
    """Order the events ``picked[:count]`` by time, then by packet: insertion in short runs, then merges."""
    run = 16
    for low in range(0, count, run):
        for i in range(low + 1, min(low + run, count)):
            e = picked[i]
            j = i - 1
            while j >= low and _before(when, code, e, picked[j]):
                picked[j + 1] = picked[j]
                j -= 1
            picked[j + 1] = e
    while run < count:
        for low in range(0, count, 2 * run):
            middle, high = min(low + run, count), min(low + 2 * run, count)
            if middle == high or not _before(when, code, picked[middle], picked[middle - 1]):
                for k in range(low, high):
                    other[k] = picked[k]
                continue
            i, j = low, middle
            for k in range(low, high):
                if j == high or (i < middle and not _before(when, code, picked[j], picked[i])):
                    other[k] = picked[i]
                    i += 1
                else:
                    other[k] = picked[j]
                    j += 1
        for k in range(count):
            picked[k] = other[k]
        run *= 2


@njit(cache=True, error_model="numpy")
def _serve(one: int, t: float, service: Array, free: Array, passed: Array, wait: Array, peak: Array) -> Any:
    """Queue for a link at time t; returns the start of service."""
    start = t
    if free[one] > t:
        start = free[one]
        wait[one] += start - t
        # At times far from 0 the two ends of the queue are only known to rounding.
        queued = np.int64(np.ceil((start - t) / service[one] - 1e-6)) + 1
        peak[one] = max(peak[one], queued)
    elif peak[one] == 0:
        peak[one] = 1
    free[one] = start + service[one]
    passed[one] += 1
    return start


@njit(cache=True, error_model="numpy")
def first_hops(root: Array, link: Array, service: Array, latency: Array, time: Array) -> Any:
    """Queues at links that only ever come first on a tree: arrivals are the injections, already in order of time."""
    links = len(service)
    free = np.full(links, -np.inf)
    passed, peak, wait = np.zeros(links, np.int64), np.zeros(links, np.int64), np.zeros(links)
    done = np.empty(len(root))
    for n in range(len(root)):
        one = link[root[n]]
        done[n] = _serve(one, time[n], service, free, passed, wait, peak) + latency[one]
    return done, passed, wait, peak


@njit(cache=True, error_model="numpy")
def run(
    root: Array,
    link: Array,
    child: Array,
    sibling: Array,
    service: Array,
    latency: Array,
    time: Array,
    number: Array,
    origin: Array,
    width: float,
    ring: int,
    room: int,
) -> Any:
    """Carry packets, which start at hop ``root`` and in order of ``time``, to their ends.

    At equal times the packet with the lower ``number`` (its place in all arrays that are returned) goes first.

    Arrivals at all links are handled in order of time, so a queue is one number, the time at which its link is free.
    They wait in a calendar of ``ring`` days (a power of two), each ``width`` long and shorter than any latency, so
    that a day's arrivals never cause another on the same day; each day is sorted when it comes. Events of later years
    stay in their day's list. An event is its time and ``packet << 32 | hop``.

    Returns
    -------
    first, last : float64 (packets,)
    copies : int64 (packets,)
    total : float
        Sum over all copies of arrival - ``origin`` of the packet.
    passed : int64 (links,)
    wait : float64 (links,)
    peak : int64 (links,)
    done : bool
        False if more than ``room`` events had to wait at once: then nothing is valid. (Arrays that grow inside the
        loop would make it twice as slow.)
    """
    packets, links = len(root), len(service)
    low = np.int64(2**32 - 1)
    per_width = 1.0 / width
    free = np.full(links, -np.inf)
    passed, peak, wait = np.zeros(links, np.int64), np.zeros(links, np.int64), np.zeros(links)
    first, last, copies = np.full(packets, np.inf), np.full(packets, -np.inf), np.zeros(packets, np.int64)
    total = 0.0
    head = np.full(ring, -1, np.int32)
    when, code, following = np.empty(room), np.empty(room, np.int64), np.arange(1, room + 1).astype(np.int32)
    picked, other = np.empty(room, np.int32), np.empty(room, np.int32)
    spare, waiting, next_packet, day = np.int32(0), 0, 0, np.int64(0)
    zero = time[0] if packets else 0.0
    while waiting > 0 or next_packet < packets:
        if waiting == 0:
            day = max(day, np.int64((time[next_packet] - zero) * per_width))
        count = 0
        # Injections of the day join the calendar just in time.
        while next_packet < packets and np.int64((time[next_packet] - zero) * per_width) <= day:
            if spare == room:
                return first, last, copies, total, passed, wait, peak, False
            e = spare
            spare = following[e]
            when[e], code[e] = time[next_packet], number[next_packet] << 32 | np.int64(root[next_packet])
            picked[count] = e
            count += 1
            next_packet += 1
            waiting += 1
        at = day & (ring - 1)
        oldest = count
        e = head[at]
        head[at] = -1
        while e >= 0:
            then = following[e]
            if np.int64((when[e] - zero) * per_width) <= day:
                picked[count] = e
                count += 1
            else:
                following[e] = head[at]
                head[at] = e
            e = then
        # The list has the newest event first; the other way round it is nearly sorted.
        for k in range((count - oldest) // 2):
            picked[oldest + k], picked[count - 1 - k] = picked[count - 1 - k], picked[oldest + k]
        _sort(when, code, picked, other, count)
        for k in range(count):
            e = picked[k]
            t, rank, h = when[e], code[e] >> 32, code[e] & low
            following[e] = spare
            spare = e
            one = link[h]
            start = _serve(one, t, service, free, passed, wait, peak)
            done = start + latency[one]
            c = child[h]
            if c < 0:
                first[rank] = min(first[rank], done)
                last[rank] = max(last[rank], done)
                copies[rank] += 1
                total += done - origin[rank]
                continue
            into = np.int64((done - zero) * per_width) & (ring - 1)
            while c >= 0:
                if spare == room:
                    return first, last, copies, total, passed, wait, peak, False
                f = spare
                spare = following[f]
                when[f], code[f] = done, rank << 32 | np.int64(c)
                following[f] = head[into]
                head[into] = f
                waiting += 1
                c = sibling[c]
        waiting -= count
        day += 1
    return first, last, copies, total, passed, wait, peak, True

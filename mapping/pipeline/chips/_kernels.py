"""Compiled loops over events, steps and PEs; times are nanoseconds."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

Array = Any

WORK, TAKE, TRAVEL, ROOM, NETWORK = range(5)
"""What the longest path of a run consists of: see :func:`longest_path`."""


@njit(cache=True, error_model="numpy")
def apply_rows(
    row: Array, source: Array, sub_ptr: Array, part: Array, count: Array, cycles: int, taking: Array, seen: Array
) -> None:
    """Add the cycles of one projection's synapses to the row of each event, and count the synapses of each part."""
    for i in range(len(row)):
        s = source[i]
        for k in range(sub_ptr[s], sub_ptr[s + 1]):
            taking[row[i], part[k]] += cycles * count[k]
            seen[part[k]] += count[k]


@njit(cache=True, error_model="numpy")
def carry_rows(
    row_ptr: Array, group: Array, base: Array, send: int, taking: Array, g_ptr: Array, g_parts: Array, g_cost: Array,
    g_latency: Array, g_source: Array, links_ptr: Array, links: Array, link_ns: Array, service: Array, ns: float,
    wake: float, barrier: float,
) -> Any:  # fmt: skip
    """Count the packets of every row (a step, or a stage of a step), and close each row when its last PE is done.

    Parameters
    ----------
    row_ptr : int64 (rows + 1,), group : int64 (packets,)
        Groups of the packets, sorted by row and group.
    base : int64 (variants, parts)
        Cycles until a part has updated its neurons; row r is of variant ``r % variants``.
    taking : int64 (rows, parts)
        Cycles of synapses; those of receiving packets are added.

    Returns
    -------
    own : int64 (rows, parts)
        Cycles until a part has updated its neurons and sent its packets.
    packets : int32 (rows, parts)
        That a part receives.
    network : float64 (rows, parts)
        Longest time that a link needs which a part's packets pass, for all packets of the row.
    time : float64 (rows,)
    receive : int64 (parts,)
        Cycles of receiving, all rows together.
    fired_ptr : int64 (rows + 1,), fired, count : int32
        Groups that send in each row, and how many packets.
    """
    rows, (variants, parts) = len(row_ptr) - 1, base.shape
    own, packets = np.zeros((rows, parts), np.int64), np.zeros((rows, parts), np.int32)
    network, time, receive = np.zeros((rows, parts)), np.zeros(rows), np.zeros(parts, np.int64)
    fired_ptr = np.zeros(rows + 1, np.int64)
    fired, count = np.empty(len(group), np.int32), np.empty(len(group), np.int32)
    load, done, arrival = np.zeros(len(link_ns), np.int64), np.zeros(parts), np.zeros(parts)
    n = 0
    for r in range(rows):
        for p in range(parts):
            own[r, p] = base[r % variants, p]
        for i in range(row_ptr[r], row_ptr[r + 1]):
            if i > row_ptr[r] and group[i] == group[i - 1]:
                count[n - 1] += 1
            else:
                fired[n], count[n] = group[i], 1
                n += 1
            own[r, g_source[group[i]]] += send
        fired_ptr[r + 1] = n
        load[:] = 0
        arrival[:] = 0.0
        for p in range(parts):
            done[p] = own[r, p] * ns
        for i in range(fired_ptr[r], n):
            g = fired[i]
            for k in range(links_ptr[g], links_ptr[g + 1]):
                load[links[k]] += count[i]
            for k in range(g_ptr[g], g_ptr[g + 1]):
                p = g_parts[k]
                packets[r, p] += count[i]
                taking[r, p] += count[i] * g_cost[k]
                receive[p] += count[i] * g_cost[k]
                arrival[p] = max(arrival[p], done[g_source[g]] + g_latency[k])
        busiest = 0.0
        for i in range(fired_ptr[r], n):
            g = fired[i]
            for k in range(links_ptr[g], links_ptr[g + 1]):
                needed = load[links[k]] * link_ns[links[k]]
                network[r, g_source[g]] = max(network[r, g_source[g]], needed)
            busiest = max(busiest, network[r, g_source[g]])
        elapsed = 0.0
        for p in range(parts):
            finish = done[p]
            if packets[r, p] > 0:  # nothing is sent before PEs are awake
                finish = max(max(finish, wake) + taking[r, p] * ns, arrival[p] + service[p] * ns)
            elapsed = max(elapsed, finish)
        time[r] = elapsed + max(0.0, wake + busiest - elapsed) + barrier
    return own, packets, network, time, receive, fired_ptr, fired[:n], count[:n]


@njit(cache=True, error_model="numpy")
def take_packets(
    k: int, p: int, ready: float, take: Array, start: Array, in_ptr: Array, in_source: Array, in_latency: Array,
    in_stage: Array, wake: float, opens: Array,
) -> Any:  # fmt: skip
    """Take the packets of step k on part p, stage after stage as they begin to come, from when the part is ready.

    Packets of a stage begin to come when the last PE that sends them is awake in step k.

    Returns
    -------
    end : float
        When all are taken, if none is waited for from then on.
    waited : int
        Sender (as a position in ``in_source``) that was waited for last, -1 if there was no need.
    after : float
        Time of taking since then.
    """
    stages = take.shape[1]
    opens[:] = 0.0
    by = np.full(stages, -1, np.int64)
    for i in range(in_ptr[p], in_ptr[p + 1]):
        t = start[k, in_source[i]] + wake + in_latency[i]
        if t > opens[in_stage[i]]:
            opens[in_stage[i]] = t
            by[in_stage[i]] = i
    end, waited, after = ready, -1, 0.0
    left = np.ones(stages, np.bool_)
    for _ in range(stages):
        s = -1
        for other in range(stages):
            if left[other] and (s < 0 or opens[other] < opens[s]):
                s = other
        left[s] = False
        if take[k, s, p] <= 0.0:
            continue
        if opens[s] > end:
            end, waited, after = opens[s], by[s], 0.0
        end += take[k, s, p]
        after += take[k, s, p]
    return end, waited, after


@njit(cache=True, error_model="numpy")
def run(
    work: Array, others: Array, take: Array, network: Array, last: Array, in_ptr: Array, in_source: Array,
    in_latency: Array, in_stage: Array, room_ptr: Array, room_of: Array, room_latency: Array, depth: int, wake: float,
    pace: Array,
) -> Any:  # fmt: skip
    """When every PE begins a step, has sent its packets, and has taken those of all others.

    A PE begins step k once it is done with step k - 1, the links that its packets pass have room again, and every PE
    of ``room_of`` has taken the packets of step k - ``depth`` and said so; not before ``k pace``. It takes the packets
    that come (:func:`take_packets`), and is done with the step once all are taken, all senders have sent their packets
    of it, these have come, and the last is taken.

    Parameters
    ----------
    work, others, network, last : float64 (steps, parts)
        Update and sending; taking ends and room; the busiest link; taking the last packet.
    take : float64 (steps, stages, parts)
        Receiving, and synapses, of packets from each stage.
    in_ptr : int64 (parts + 1,), in_source : int32, in_latency : float64, in_stage : int32
        Senders of each part, the time on the way, and the stage that sends.
    room_ptr, room_of, room_latency
        Likewise the receivers whose room each part waits for.
    pace : float64 (parts,)

    Returns
    -------
    start, sent, done : float64 (steps, parts)
    """
    steps, parts = work.shape
    start, sent, done = np.zeros((steps, parts)), np.zeros((steps, parts)), np.zeros((steps, parts))
    opens = np.zeros(take.shape[1])
    for k in range(steps):
        for p in range(parts):
            t = k * pace[p]
            if k > 0:
                t = max(t, done[k - 1, p], start[k - 1, p] + network[k - 1, p])
            if k >= depth:
                for i in range(room_ptr[p], room_ptr[p + 1]):
                    t = max(t, done[k - depth, room_of[i]] + room_latency[i])
            start[k, p] = t
            sent[k, p] = t + work[k, p]
        for p in range(parts):
            t, _, _ = take_packets(
                k, p, sent[k, p] + others[k, p], take, start, in_ptr, in_source, in_latency, in_stage, wake, opens
            )
            for i in range(in_ptr[p], in_ptr[p + 1]):
                q = in_source[i]
                t = max(t, max(sent[k, q], start[k, q] + wake + network[k, q]) + in_latency[i] + last[k, p])
            done[k, p] = t
    return start, sent, done


@njit(cache=True, error_model="numpy")
def longest_path(
    work: Array, others: Array, take: Array, network: Array, last: Array, in_ptr: Array, in_source: Array,
    in_latency: Array, in_stage: Array, room_ptr: Array, room_of: Array, room_latency: Array, depth: int, wake: float,
    start: Array, sent: Array, done: Array,
) -> Any:  # fmt: skip
    """What the time until the last PE is done consists of, walked back from there; arguments as of :func:`run`.

    Returns
    -------
    spent : float64 (parts, 5)
        Time by part and cause: update and sending; taking packets; their way and the last of them; waiting for room;
        the busiest link.
    """
    steps, parts = work.shape
    spent = np.zeros((parts, 5))
    opens = np.zeros(take.shape[1])
    k, p = steps - 1, int(np.argmax(done[steps - 1]))
    while True:
        t, waited, after = take_packets(
            k, p, sent[k, p] + others[k, p], take, start, in_ptr, in_source, in_latency, in_stage, wake, opens
        )
        if done[k, p] == t and waited < 0:
            spent[p, TAKE] += after + others[k, p]
            spent[p, WORK] += work[k, p]
        elif done[k, p] == t:
            q = in_source[waited]
            spent[p, TAKE] += after
            spent[p, TRAVEL] += in_latency[waited]
            spent[q, WORK] += wake
            p = q
        else:
            for i in range(in_ptr[p], in_ptr[p + 1]):
                q = in_source[i]
                flown = start[k, q] + wake + network[k, q]
                if done[k, p] == max(sent[k, q], flown) + in_latency[i] + last[k, p]:
                    spent[p, TRAVEL] += in_latency[i] + last[k, p]
                    spent[q, WORK] += work[k, q]
                    spent[q, NETWORK] += max(0.0, flown - sent[k, q])
                    p = q
                    break
        # Here step k begins on part p, after something that ended then.
        while k > 0 and start[k, p] != done[k - 1, p] and start[k, p] == start[k - 1, p] + network[k - 1, p]:
            spent[p, NETWORK] += network[k - 1, p]
            k -= 1
        if k == 0:
            break
        if start[k, p] == done[k - 1, p]:
            k -= 1
            continue
        for i in range(room_ptr[p], room_ptr[p + 1]):
            if start[k, p] == done[k - depth, room_of[i]] + room_latency[i]:
                spent[p, ROOM] += room_latency[i]
                k, p = k - depth, room_of[i]
                break
    return spent


@njit(cache=True, error_model="numpy")
def most_waiting(
    start: Array, done: Array, fired_ptr: Array, fired: Array, count: Array, g_source: Array, g_ptr: Array,
    g_parts: Array,
) -> Any:  # fmt: skip
    """Most packets that each part must have room for at one time, int64 (parts,).

    Packets of a step count from when their sender begins it until their receiver is done with it. The most are there
    just before the receiver is done with some step.
    """
    steps, parts = start.shape
    change = np.zeros((steps + 1, parts), np.int64)
    for k in range(steps):
        for i in range(fired_ptr[k], fired_ptr[k + 1]):
            g = fired[i]
            opened = start[k, g_source[g]]
            for j in range(g_ptr[g], g_ptr[g + 1]):
                p = g_parts[j]
                low, high = 0, k  # the first step that the receiver is done with after they were sent
                while low < high:
                    middle = (low + high) // 2
                    if done[middle, p] < opened:
                        low = middle + 1
                    else:
                        high = middle
                change[low, p] += count[i]
                change[k + 1, p] -= count[i]
    most, now = np.zeros(parts, np.int64), np.zeros(parts, np.int64)
    for k in range(steps):
        for p in range(parts):
            now[p] += change[k, p]
            most[p] = max(most[p], now[p])
    return most

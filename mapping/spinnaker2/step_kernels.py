"""What happens around the delivery of a step, compiled: packets and drops before it, cycles, time and loads after it.

Times are nanoseconds from the start of the step, as floats; cycles and counts are ints. Arguments are the fields of
:data:`.ledger.FIELDS`.
"""

# mypy: disable-error-code="call-arg,attr-defined"

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from neuromorph.engine.lowlevel import pointer
from neuromorph.native.arrays import carray

from .kernels import fifo_drops, fold_bins

UPDATE, SEND, RECEIVE, INPUT, RECURRENT, RECORD, DMA, PLASTICITY = 0, 1, 2, 3, 4, 5, 6, 7
PHASES = 8
(
    TIME,
    BUSIEST,
    MOST,
    PACKETS,
    COPIES,
    DROPPED,
    EVENTS,
    MAX_LINK,
    CHIP_LINKS,
    MAX_ROUTER,
    LATE,
    STEP,
    CROWDED,
    NETWORK,
    RECEIVING,
    LOOPED,
    CORE,
    BUSY,
    PACKET_ENERGY,
    PLASTIC,
    INPUT_CYCLES,
    RECURRENT_CYCLES,
    LAST,
    LAST_PHASES,
    LAST_WAIT,
    LAST_NETWORK,
) = (*range(23), 23, 23 + PHASES, 24 + PHASES)  # columns of a step's row


@njit(error_model="numpy")
def fired_in(table: Any, population: Any, step: Any) -> Any:
    """The neurons of a population that fired in a recent step."""
    row = step & table[population, 4]
    count: Any = carray(pointer(table[population, 1]), row + 1, np.int64)[row]
    return carray(pointer(table[population, 0] + 4 * row * table[population, 2]), count, np.uint32)


@njit(error_model="numpy")
def send_packets(
    step: Any, parts: Any, populations: Any, fifo: Any, dropping: Any, level: Any, send_cycles: Any, drop_rows: Any,
    worded: Any, table: Any, w_group: Any, w_words: Any, part: Any, group: Any, before: Any, g_ptr: Any, g_parts: Any,
    g_cost: Any, g_latency: Any, g_source: Any, update_cycles: Any, plastic_cycles: Any, service: Any, ns: Any,
    times: Any, sent: Any, packets: Any, receive: Any, chosen: Any, done: Any, arrival: Any, g_count: Any, touched: Any,
    lag: Any, late: Any, drops: Any, special: Any, cells: Any, spikes: Any, dropped: Any, crowded: Any, clock: Any,
    layers: Any, active_steps: Any,
) -> None:  # fmt: skip
    """Count this step's packets, choose levels, find which packets full FIFOs drop."""
    if step == 0:  # the sample before this one ended when its last PE was done
        clock[0] += late[:parts].max() if parts else 0.0
        late[:parts] = 0.0
        lag[:parts] = 0
    sent[:parts] = 0
    packets[:parts] = 0
    receive[:parts] = 0
    arrival[:parts] = 0.0
    n_touched = worded
    for i in range(worded):
        g = w_group[i]
        touched[i] = g
        g_count[g] = w_words[i]
        sent[g_source[g]] += w_words[i]
    for k in range(populations):
        fired = fired_in(table, k, step)
        count = len(fired)
        active_steps[k] += count > 0
        leaving = 0
        for j in range(count):
            v = table[k, 3] + np.int64(fired[j])
            g = group[v]
            if g < 0:
                continue
            leaving += 1
            sent[part[v]] += 1
            spikes[k, part[v]] += 1
            if g_count[g] == 0:
                touched[n_touched] = g
                n_touched += 1
            g_count[g] += 1
        layers[cells[0], k, 0] = count
        layers[cells[0], k, 1] = leaving
    for i in range(n_touched):
        g = touched[i]
        for k in range(g_ptr[g], g_ptr[g + 1]):
            packets[g_parts[k]] += g_count[g]
            receive[g_parts[k]] += g_count[g] * g_cost[k]
    full, any_lag = 0, 0
    for p in range(parts):
        sending = update_cycles[p] + sent[p] * send_cycles
        if level < 2:
            chosen[p] = level
        else:
            work = sending + plastic_cycles[p] + packets[p] * service[p]
            chosen[p] = 0 if late[p] + work * ns[0] <= times[0] else 1
        done[p] = late[p] + sending * ns[chosen[p]]
        if packets[p] > fifo:
            full += 1
            crowded[p] += 1
        any_lag = any_lag | (lag[p] > 0)
    for i in range(n_touched):
        g = touched[i]
        for k in range(g_ptr[g], g_ptr[g + 1]):
            p = g_parts[k]
            arrival[p] = max(arrival[p], done[g_source[g]] + g_latency[k])
    found = 0
    if full > 0 and dropping:
        found = _overflows(
            step, parts, populations, fifo, send_cycles, drop_rows, table, part, group, before, g_ptr, g_parts,
            g_cost, g_latency, service, ns, packets, receive, chosen, done, late, drops, dropped,
        )  # fmt: skip
    special[0] = found
    special[1] = any_lag
    cells[3] = n_touched
    cells[4] = found
    cells[7] = full


@njit(error_model="numpy")
def _overflows(
    step: Any, parts: Any, populations: Any, fifo: Any, send_cycles: Any, drop_rows: Any, table: Any, part: Any,
    group: Any, before: Any, g_ptr: Any, g_parts: Any, g_cost: Any, g_latency: Any, service: Any, ns: Any,
    packets: Any, receive: Any, chosen: Any, done: Any, late: Any, drops: Any, dropped: Any,
) -> int:  # fmt: skip
    """Play the FIFOs that got more packets than they hold, packet by packet; gives the number of drops."""
    total = 0
    for k in range(populations):
        total += len(fired_in(table, k, step))
    vertex = np.empty(total, np.int64)
    leaves = np.empty(total, np.float64)
    rank = np.zeros(parts, np.int64)
    n = 0
    for k in range(populations):
        fired = fired_in(table, k, step)
        for j in range(len(fired)):
            v = table[k, 3] + np.int64(fired[j])
            if group[v] >= 0:
                p = part[v]
                rank[p] += 1
                vertex[n] = v
                leaves[n] = late[p] + (before[v] + rank[p] * send_cycles) * ns[chosen[p]]
                n += 1
    found = 0
    for p in range(parts):
        if packets[p] <= fifo:
            continue
        at = np.empty(packets[p], np.float64)
        who = np.empty(packets[p], np.int64)
        cost = np.empty(packets[p], np.int64)
        m = 0
        for i in range(n):
            g = group[vertex[i]]
            low, high = g_ptr[g], g_ptr[g + 1]
            while low < high:
                middle = (low + high) >> 1
                if g_parts[middle] < p:
                    low = middle + 1
                else:
                    high = middle
            if low < g_ptr[g + 1] and g_parts[low] == p:
                at[m] = leaves[i] + g_latency[low]
                who[m] = vertex[i]
                cost[m] = g_cost[low]
                m += 1
        order = np.argsort(at[:m], kind="mergesort")
        lost = np.zeros(m, np.bool_)
        fifo_drops(at[:m][order], done[p], service[p] * ns[chosen[p]], fifo, lost)
        for i in range(m):
            if lost[i] and found < drop_rows:
                drops[found] = who[order[i]] * parts + p
                found += 1
                packets[p] -= 1
                receive[p] -= cost[order[i]]
                dropped[p] += 1
    drops[:found].sort()
    return found


@njit(error_model="numpy")
def settle(
    step: Any, parts: Any, populations: Any, projections: Any, links: Any, ticked: Any, send_cycles: Any,
    bins: Any, worst: Any, series_rows: Any, g_ptr: Any, g_links_ptr: Any, g_links: Any,
    link_class: Any, link_ns: Any, g_energy: Any, post: Any, loop: Any, joule: Any, update_cycles: Any,
    record_cycles: Any, dma_cycles: Any, counters: Any, plastic_cycles: Any, counter_cycles: Any, counted: Any,
    service: Any, ns: Any, times: Any, sent: Any, packets: Any, receive: Any,
    chosen: Any, done: Any, arrival: Any, work: Any, g_count: Any, touched: Any, link_load: Any, synapses: Any,
    synapse_cycles: Any, cycles_seen: Any, projection_seen: Any, lag: Any, late: Any, cells: Any, cycles: Any,
    received: Any,
    g_total: Any, late_steps: Any, clock: Any, part_bins: Any, link_bins: Any, series: Any, layers: Any,
    worst_step: Any, worst_time: Any, worst_work: Any, worst_links: Any, stop: Any,
) -> None:  # fmt: skip
    """Turn counts into cycles, time and loads, and add them up."""
    row = series[cells[0]]
    row[:] = 0.0
    link_load[:links] = 0
    copies = 0
    for i in range(cells[3]):
        g = touched[i]
        count = g_count[g]
        for k in range(g_links_ptr[g], g_links_ptr[g + 1]):
            link_load[g_links[k]] += count
        copies += count * (g_ptr[g + 1] - g_ptr[g])
        g_total[g] += count
        row[PACKETS] += count
        row[PACKET_ENERGY] += count * g_energy[g]
        g_count[g] = 0
    row[COPIES], row[DROPPED], row[CROWDED] = copies, cells[4], cells[7]
    for k in range(links):
        row[NETWORK] = max(row[NETWORK], link_load[k] * link_ns[k])
        if link_class[k] == 2:
            row[MAX_ROUTER] = max(row[MAX_ROUTER], link_load[k])
        else:
            row[MAX_LINK] = max(row[MAX_LINK], link_load[k])
            if link_class[k] == 1:
                row[CHIP_LINKS] += link_load[k]
    _synaptic_events(parts, populations, projections, post, loop, synapses, synapse_cycles, cycles_seen,
                     projection_seen, work, row, layers[cells[0]])  # fmt: skip
    elapsed = 0.0
    busiest, most, last = 0, -1, 0
    for p in range(parts):
        work[UPDATE, p] = update_cycles[p] - record_cycles[p] - dma_cycles[p]
        work[SEND, p] = sent[p] * send_cycles
        work[RECEIVE, p] = receive[p]
        work[RECORD, p] = record_cycles[p]
        work[DMA, p] = dma_cycles[p]
        work[PLASTICITY, p] = plastic_cycles[p]
        for k in range(counters):
            work[PLASTICITY, p] += counted[k, p] * counter_cycles[k]
            counted[k, p] = 0
        row[PLASTIC] += work[PLASTICITY, p]
        total = 0
        for k in range(PHASES):
            cycles[chosen[p], k, p] += work[k, p]
            total += work[k, p]
        received[p] += packets[p]
        period = ns[chosen[p]]
        row[RECEIVING] += receive[p]
        row[CORE] += total * joule[chosen[p]]
        row[BUSY] += total * period
        finish = done[p] + (receive[p] + work[INPUT, p] + work[RECURRENT, p] + work[PLASTICITY, p]) * period
        if ticked:
            late[p] = max(0.0, finish - times[0])
            lag[p] = np.int64(late[p] / times[0])
            if late[p] > 0.0:
                late_steps[p] += 1
                row[LATE] += 1
        else:
            if packets[p] > 0:
                finish = max(finish, arrival[p] + service[p] * period)
            if finish > times[0]:
                late_steps[p] += 1
                row[LATE] += 1
        if finish > elapsed:
            elapsed, last = finish, p
        if total > most:
            busiest, most = p, total
    row[LAST] = last
    row[LAST_WAIT] = elapsed
    for k in range(PHASES):
        row[LAST_PHASES + k] = work[k, last] * ns[chosen[last]]
        row[LAST_WAIT] -= row[LAST_PHASES + k]
    row[LAST_WAIT] = max(row[LAST_WAIT], 0.0)
    # No link passes packets faster than its rate, from when the first can be sent.
    row[LAST_NETWORK] = max(0.0, times[2] + row[NETWORK] - elapsed)
    row[TIME] = times[0] if ticked else elapsed + row[LAST_NETWORK] + times[1]
    row[BUSIEST], row[MOST], row[STEP] = busiest, most, step
    clock[0] += row[TIME]
    if cells[1] // cells[2] >= bins:
        fold_bins(part_bins)
        fold_bins(link_bins)
        cells[2] *= 2
    b = cells[1] // cells[2]
    for p in range(parts):
        for k in range(PHASES):
            part_bins[b, p] += work[k, p]
    for k in range(links):
        link_bins[b, k] += link_load[k]
    _keep_worst(step, parts, links, worst, row, most, ns, ticked, work, link_load, worst_step, worst_time, worst_work,
                worst_links, cells)  # fmt: skip
    cells[1] += 1
    if cells[0] + 1 < series_rows:
        cells[0] += 1
    else:
        cells[6] += 1  # the next step overwrites this row; the sums still hold it
    if cells[5] and series_rows - cells[0] < 3:
        stop[0] = min(stop[0], step + 1)


@njit(error_model="numpy")
def _synaptic_events(
    parts: Any, populations: Any, projections: Any, post: Any, loop: Any, synapses: Any, synapse_cycles: Any,
    cycles_seen: Any, projection_seen: Any, work: Any, row: Any, layer: Any,
) -> None:  # fmt: skip
    """Events of this step, from the sums so far: cycles by PE into ``work``, counts by target into ``layer``."""
    layer[:, 2:] = 0
    work[INPUT, :parts] = 0
    work[RECURRENT, :parts] = 0
    for j in range(projections):
        total = 0
        for p in range(parts):
            work[INPUT + loop[j], p] += synapses[j, p] * synapse_cycles[j]
            total += synapses[j, p]
        events = total - projection_seen[j]
        layer[post[j], 2 + loop[j]] += events
        row[EVENTS] += events
        row[LOOPED] += loop[j] * events
        projection_seen[j] = total
    for p in range(parts):
        for k in range(2):
            so_far = work[INPUT + k, p]
            work[INPUT + k, p] -= cycles_seen[k, p]
            cycles_seen[k, p] = so_far
            row[INPUT_CYCLES + k] += work[INPUT + k, p]


@njit(error_model="numpy")
def _keep_worst(
    step: Any, parts: Any, links: Any, worst: Any, row: Any, most: Any, ns: Any, ticked: Any, work: Any,
    link_load: Any, worst_step: Any, worst_time: Any, worst_work: Any, worst_links: Any, cells: Any,
) -> None:  # fmt: skip
    """Keep the details of the steps that took longest (with a tick: of those with the busiest PE)."""
    measure = most * ns[1] if ticked else row[TIME]
    slot = 0
    for k in range(1, worst):
        if worst_time[k] < worst_time[slot]:
            slot = k
    if measure > worst_time[slot]:
        worst_time[slot] = measure
        worst_step[slot] = cells[1]
        for p in range(parts):
            for k in range(PHASES):
                worst_work[slot, k, p] = work[k, p]
        for k in range(links):
            worst_links[slot, k] = link_load[k]

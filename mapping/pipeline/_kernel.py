"""The compiled evaluation behind :mod:`.simulate`: a time stamp for every token, stage by stage as far as known."""

from __future__ import annotations

from typing import Any

from numba import njit

Array = Any

# Columns of a FIFO's row.
OFFSET, MASK, ROOM, GRAIN, WRITTEN, READ, SEEN_WRITES, SEEN_READS, PEAK, WRITER, READER = range(11)
READER_WAITS, WRITER_WAITS, WRITER_BLOCKED, READER_WAITED = range(11, 15)
FIFO_COLUMNS = 16
# Columns of a stage's row. What is not said to be a cycle or a tick is a position.
FIRST_LOOP, END_LOOP, FLIGHT, FLIGHT_MASK, RESTART, DRAINS = range(6)
LOOP, REPEAT, RUN, DONE, ITEM, TICK, ENTRY, EXIT, LAST_EXIT, HEAD, TAIL, SETTLED, AHEAD_HEAD, AHEAD_TAIL = range(6, 20)
STAGE_COLUMNS = 20
# Columns of a loop and of a run.
LOOP_FIRST_RUN, LOOP_END_RUN, LOOP_REPEATS, LOOP_LEAD, LOOP_INTERVAL, LOOP_WRITES = range(6)
RUN_COUNT, RUN_READS, RUN_WRITES, RUN_END = range(4)
# Columns of an iteration in flight, of a record, and of the queue's state.
LEAVES, SINCE, FIRST_WRITE, END_WRITE, LEAVING_ITEM = range(5)
FLIGHT_COLUMNS = 5
START, END, WAITING, HELD = range(4)
QUEUE_HEAD, QUEUE_LENGTH = range(2)

BEFORE = -(2**61)
"""A time before everything."""
UNKNOWN = -(2**62)
"""A time that depends on something that has not been evaluated yet."""


@njit(cache=True, error_model="numpy", inline="always")
def _ready(fifos: Array, f: int, written: Array) -> Any:
    """Cycle from which the next token of a FIFO can be read."""
    token, grain = fifos[f, READ], fifos[f, GRAIN]
    if grain > 1:
        token = (token // grain + 1) * grain - 1
    if token >= fifos[f, WRITTEN]:
        return UNKNOWN
    return written[fifos[f, OFFSET] + (token & fifos[f, MASK])] + 1


@njit(cache=True, error_model="numpy", inline="always")
def _room(fifos: Array, f: int, read: Array) -> Any:
    """Cycle from which there is room for the next token of a FIFO."""
    token, grain = fifos[f, WRITTEN] - fifos[f, ROOM], fifos[f, GRAIN]
    if token < 0:
        return BEFORE
    if grain > 1:
        token = (token // grain + 1) * grain - 1
    if token >= fifos[f, READ]:
        return UNKNOWN
    return read[fifos[f, OFFSET] + (token & fifos[f, MASK])] + 1


@njit(cache=True, error_model="numpy")
def _see(fifos: Array, f: int, written: Array, read: Array, last: bool) -> None:
    """Merge the times of writes and reads, as far as both are known, into the peak of what a FIFO holds."""
    offset, mask = fifos[f, OFFSET], fifos[f, MASK]
    writes, reads, peak = fifos[f, SEEN_WRITES], fifos[f, SEEN_READS], fifos[f, PEAK]
    all_writes, all_reads = fifos[f, WRITTEN], fifos[f, READ]
    while reads < all_reads:
        at = read[offset + (reads & mask)]
        while writes < all_writes and written[offset + (writes & mask)] < at:
            writes += 1
        if writes == all_writes and not last:
            break  # a write that is not known yet may come before this read
        peak = max(peak, writes - reads)
        reads += 1
    if last:
        peak = max(peak, all_writes - reads)
    fifos[f, SEEN_WRITES], fifos[f, SEEN_READS], fifos[f, PEAK] = writes, reads, peak


@njit(cache=True, error_model="numpy", inline="always")
def _wake(stage: int, queue: Array, queued: Array, state: Array) -> None:
    if not queued[stage]:
        queued[stage] = True
        at = state[QUEUE_HEAD] + state[QUEUE_LENGTH]
        queue[at - len(queue) if at >= len(queue) else at] = stage
        state[QUEUE_LENGTH] += 1


@njit(cache=True, error_model="numpy", inline="always")
def _write(
    fifos: Array, f: int, at: int, written: Array, read: Array, queue: Array, queued: Array, state: Array
) -> None:
    token, mask = fifos[f, WRITTEN], fifos[f, MASK]
    if token - fifos[f, SEEN_READS] > mask:
        _see(fifos, f, written, read, False)
    written[fifos[f, OFFSET] + (token & mask)] = at
    fifos[f, WRITTEN] = token + 1
    if fifos[f, READER_WAITS]:
        fifos[f, READER_WAITS] = 0
        _wake(fifos[f, READER], queue, queued, state)


@njit(cache=True, error_model="numpy", inline="always")
def _read(fifos: Array, f: int, at: int, read: Array, queue: Array, queued: Array, state: Array) -> None:
    token = fifos[f, READ]
    read[fifos[f, OFFSET] + (token & fifos[f, MASK])] = at
    fifos[f, READ] = token + 1
    if fifos[f, WRITER_WAITS]:
        fifos[f, WRITER_WAITS] = 0
        _wake(fifos[f, WRITER], queue, queued, state)


@njit(cache=True, error_model="numpy")
def _step(
    own: Array,
    record: Array,
    fifos: Array,
    written: Array,
    read: Array,
    loops: Array,
    runs: Array,
    uses: Array,
    flight: Array,
    ahead: Array,
    items: int,
    ideal: bool,
    queue: Array,
    queued: Array,
    state: Array,
) -> int:
    """Take one stage as far as what is known of its FIFOs allows; how many iterations entered, or left apart from that.

    The stage counts ticks, which are cycles of progress. Iteration k enters at its tick ``g`` and leaves at ``g +
    lead``; a tick is in cycle ``tick + offset``, and offsets only grow. A rigid pipeline has one for what enters
    (ENTRY) and, as loops drain while the next one enters already, one for what leaves (EXIT). What enters at a tick
    waits for what leaves up to that tick; what leaves, for what enters in its own loop up to that tick; at one tick of
    one loop they happen together. To a stage that does not drain (DRAINS), its loops over all items are one. An ideal
    pipeline has ENTRY alone: an iteration enters when it will find room.
    """
    base, mask = own[FLIGHT], own[FLIGHT_MASK]
    loop, run, tick, entry = own[LOOP], own[RUN], own[TICK], own[ENTRY]
    leave, head, tail, settled = own[EXIT], own[HEAD], own[TAIL], own[SETTLED]
    done, item = own[DONE], own[ITEM]
    lead, interval, end_run = loops[loop, LOOP_LEAD], loops[loop, LOOP_INTERVAL], loops[loop, LOOP_END_RUN]
    starved = False
    work = 0
    while True:
        over = item == items
        ended = not over and run == end_run
        stuck = False
        while head < tail:
            out = base + (head & mask)
            at, first, last = flight[out, LEAVES], flight[out, FIRST_WRITE], flight[out, END_WRITE]
            if head < settled:
                if not over and at > tick and not starved:
                    break
                free = max(leave, flight[out, SINCE]) + at
            else:
                if at > tick or (at == tick and not ended):
                    break
                free = entry + at
            wait = free
            for u in range(first, last):
                room = _room(fifos, uses[u], read)
                if room == UNKNOWN:
                    fifos[uses[u], WRITER_WAITS] = 1
                    stuck = True
                wait = max(wait, room)
            if stuck:
                break
            for u in range(first, last):
                if wait > free:
                    fifos[uses[u], WRITER_BLOCKED] += max(0, _room(fifos, uses[u], read) - free)
                _write(fifos, uses[u], wait, written, read, queue, queued, state)
            leave = wait - at
            record[flight[out, LEAVING_ITEM], END] = wait
            if not over and at > tick:
                place = base + (own[AHEAD_TAIL] & mask)
                ahead[place, 0], ahead[place, 1] = at, leave
                own[AHEAD_TAIL] += 1
            elif not over and leave > entry:
                record[item, HELD] += leave - entry
                entry = leave
            head += 1
            work += 1
        if over or (stuck and flight[base + (head & mask), LEAVES] <= tick):
            break
        while own[AHEAD_HEAD] < own[AHEAD_TAIL] and ahead[base + (own[AHEAD_HEAD] & mask), 0] <= tick:
            held = ahead[base + (own[AHEAD_HEAD] & mask), 1]
            if held > entry:
                record[item, HELD] += held - entry
                entry = held
            own[AHEAD_HEAD] += 1
        if ended:
            if own[DRAINS] or item + 1 == items:
                for k in range(max(head, settled), tail):
                    flight[base + (k & mask), SINCE] = entry
                settled = tail
            tick += interval  # `tick` was that of the last iteration
            loop += 1
            if loop == own[END_LOOP]:
                loop = own[FIRST_LOOP]
                item += 1
                tick += own[RESTART]
            lead, interval, end_run = loops[loop, LOOP_LEAD], loops[loop, LOOP_INTERVAL], loops[loop, LOOP_END_RUN]
            if loops[loop, LOOP_WRITES]:
                tick = max(tick, own[LAST_EXIT] + 1 - lead)
            run = loops[loop, LOOP_FIRST_RUN]
            own[REPEAT] = 0
            done = 0
            continue
        count, reads, writes, end = (
            runs[run, RUN_COUNT],
            runs[run, RUN_READS],
            runs[run, RUN_WRITES],
            runs[run, RUN_END],
        )
        if reads == end:
            tick += count * interval
            done = count
        else:
            # What is written together with this entering: its own tokens, or in a rigid pipeline those that leave now.
            first, last, later, leaving = writes, end, 0, False
            if ideal:
                later = lead
            elif lead > 0:
                leaving = head < tail and head >= settled and flight[base + (head & mask), LEAVES] == tick
                if leaving:
                    first, last = flight[base + (head & mask), FIRST_WRITE], flight[base + (head & mask), END_WRITE]
                else:
                    last = first
            free = entry + tick
            come = free
            missing = False
            for u in range(reads, writes):
                ready = _ready(fifos, uses[u], written)
                if ready == UNKNOWN:
                    fifos[uses[u], READER_WAITS] = 1
                    missing = True
                come = max(come, ready)
            wait = come
            for u in range(first, last):
                room = _room(fifos, uses[u], read)
                if room == UNKNOWN:
                    fifos[uses[u], WRITER_WAITS] = 1
                    missing = True
                wait = max(wait, room - later)
            if missing:
                if starved or head == tail:
                    break
                starved = True
                continue
            starved = False
            if wait > free:
                for u in range(reads, writes):
                    fifos[uses[u], READER_WAITED] += max(0, _ready(fifos, uses[u], written) - free)
                for u in range(first, last):
                    fifos[uses[u], WRITER_BLOCKED] += max(0, _room(fifos, uses[u], read) - later - free)
                record[item, WAITING] += come - free
                record[item, HELD] += wait - come
                entry = wait - tick
            if record[item, START] < 0:
                record[item, START] = wait
            for u in range(reads, writes):
                _read(fifos, uses[u], wait, read, queue, queued, state)
            for u in range(first, last):
                _write(fifos, uses[u], wait + later, written, read, queue, queued, state)
            record[item, END] = max(record[item, END], wait + later if first < last else wait)
            if leaving:
                of = flight[base + (head & mask), LEAVING_ITEM]
                record[of, END] = max(record[of, END], wait)
                head += 1
                leave = entry
            if writes < end:
                own[LAST_EXIT] = tick + lead
                if lead > 0 and not ideal:
                    out = base + (tail & mask)
                    flight[out, LEAVES], flight[out, FIRST_WRITE], flight[out, END_WRITE] = tick + lead, writes, end
                    flight[out, LEAVING_ITEM] = item
                    tail += 1
            tick += interval
            done += 1
            work += 1
        if done == count:
            done = 0
            run += 1
            if run == end_run:
                own[REPEAT] += 1
                if own[REPEAT] < loops[loop, LOOP_REPEATS]:
                    run = loops[loop, LOOP_FIRST_RUN]
                else:
                    tick -= interval
    own[LOOP], own[RUN], own[TICK], own[ENTRY] = loop, run, tick, entry
    own[EXIT], own[HEAD], own[TAIL], own[SETTLED] = leave, head, tail, settled
    own[DONE], own[ITEM] = done, item
    return work


@njit(cache=True, error_model="numpy")
def evaluate(
    stages: Array,
    records: Array,
    fifos: Array,
    written: Array,
    read: Array,
    loops: Array,
    runs: Array,
    uses: Array,
    flight: Array,
    ahead: Array,
    items: int,
    ideal: bool,
    queue: Array,
    queued: Array,
    state: Array,
    budget: int,
) -> int:
    """Evaluate stages from the queue until it is empty or `budget` iterations have been worked; how many were."""
    work = 0
    while state[QUEUE_LENGTH] > 0 and work < budget:
        stage = queue[state[QUEUE_HEAD]]
        state[QUEUE_HEAD] += 1
        if state[QUEUE_HEAD] == len(queue):
            state[QUEUE_HEAD] = 0
        state[QUEUE_LENGTH] -= 1
        queued[stage] = False
        work += _step(
            stages[stage],
            records[stage],
            fifos,
            written,
            read,
            loops,
            runs,
            uses,
            flight,
            ahead,
            items,
            ideal,
            queue,
            queued,
            state,
        )
    if state[QUEUE_LENGTH] == 0:
        for f in range(len(fifos)):
            _see(fifos, f, written, read, True)
    return work

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
FIRST_LOOP, END_LOOP, FLIGHT, FLIGHT_MASK, RESTART = range(5)
LOOP, REPEAT, RUN, DONE, ITEM, TICK, ENTRY, EXIT, LAST_EXIT, HEAD, TAIL, SETTLED, AHEAD_HEAD, AHEAD_TAIL = range(5, 19)
STAGE_COLUMNS = 20
# Columns of a loop and of a run.
LOOP_FIRST_RUN, LOOP_END_RUN, LOOP_REPEATS, LOOP_LEAD, LOOP_INTERVAL, LOOP_WRITES = range(6)
RUN_COUNT, RUN_READS, RUN_WRITES, RUN_END = range(4)
# Columns of an iteration in flight, of a record, and of the queue's state.
LEAVES, SINCE, LEAVING_RUN, LEAVING_ITEM = range(4)
START, END, WAITING, HELD = range(4)
QUEUE_HEAD, QUEUE_LENGTH = range(2)

UNKNOWN = -(2**62)
"""A time that depends on something that has not been evaluated yet."""
NEVER = 2**62


@njit(cache=True, error_model="numpy")
def _ready(fifo: Array, written: Array) -> Any:
    """Cycle from which the next token can be read."""
    token = fifo[READ]
    if fifo[GRAIN] > 1:
        token = (token // fifo[GRAIN] + 1) * fifo[GRAIN] - 1
    if token >= fifo[WRITTEN]:
        return UNKNOWN
    return written[fifo[OFFSET] + (token & fifo[MASK])] + 1


@njit(cache=True, error_model="numpy")
def _room(fifo: Array, read: Array) -> Any:
    """Cycle from which there is room for the next token."""
    token = fifo[WRITTEN] - fifo[ROOM]
    if token < 0:
        return 0
    if fifo[GRAIN] > 1:
        token = (token // fifo[GRAIN] + 1) * fifo[GRAIN] - 1
    if token >= fifo[READ]:
        return UNKNOWN
    return read[fifo[OFFSET] + (token & fifo[MASK])] + 1


@njit(cache=True, error_model="numpy")
def _see(fifo: Array, written: Array, read: Array, last: bool) -> None:
    """Merge the times of writes and reads, as far as both are known, into the peak of what the FIFO holds."""
    offset, mask = fifo[OFFSET], fifo[MASK]
    writes, reads, peak = fifo[SEEN_WRITES], fifo[SEEN_READS], fifo[PEAK]
    while reads < fifo[READ]:
        at = read[offset + (reads & mask)]
        while writes < fifo[WRITTEN] and written[offset + (writes & mask)] < at:
            writes += 1
        if writes == fifo[WRITTEN] and not last:
            break  # a write that is not known yet may come before this read
        peak = max(peak, writes - reads)
        reads += 1
    if last:
        peak = max(peak, fifo[WRITTEN] - reads)
    fifo[SEEN_WRITES], fifo[SEEN_READS], fifo[PEAK] = writes, reads, peak


@njit(cache=True, error_model="numpy")
def _wake(stage: int, queue: Array, queued: Array, state: Array) -> None:
    if not queued[stage]:
        queued[stage] = True
        at = state[QUEUE_HEAD] + state[QUEUE_LENGTH]
        queue[at - len(queue) if at >= len(queue) else at] = stage
        state[QUEUE_LENGTH] += 1


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
    """Take one stage as far as what is known of its FIFOs allows; how many iterations entered or left.

    The stage counts ticks, which are cycles of progress. Iteration k enters at its tick ``g`` and leaves at ``g +
    depth - 1``; a tick is in cycle ``tick + offset``, and offsets only grow: that of entering (ENTRY) with every wait
    for a token, that of leaving (EXIT) with every wait for room. What enters at a tick waits for what leaves up to that
    tick. What leaves waits for the iteration itself to have entered (ideal), or for all that enter until then (rigid);
    in a rigid pipeline what enters and what leaves at a tick of one loop does so together.
    """
    base, mask = own[FLIGHT], own[FLIGHT_MASK]
    loop, run, tick, entry = own[LOOP], own[RUN], own[TICK], own[ENTRY]
    leave, head, tail = own[EXIT], own[HEAD], own[TAIL]
    done, item = own[DONE], own[ITEM]
    lead, interval = loops[loop, LOOP_LEAD], loops[loop, LOOP_INTERVAL]
    starved = False
    work = 0
    while True:
        over = item == items
        ended = not over and run == loops[loop, LOOP_END_RUN]
        until = NEVER if over else tick
        stuck = False
        while head < tail:
            out = flight[base + (head & mask)]
            at = out[LEAVES]
            settled = ideal or head < own[SETTLED]
            if settled:
                if at > until and not starved:
                    break
                since = max(leave, out[SINCE])
            else:
                if at > until or (at == until and not ended):
                    break
                since = entry
            free = since + at
            wait = free
            for u in range(runs[out[LEAVING_RUN], RUN_WRITES], runs[out[LEAVING_RUN], RUN_END]):
                room = _room(fifos[uses[u]], read)
                if room == UNKNOWN:
                    fifos[uses[u], WRITER_WAITS] = 1
                    stuck = True
                wait = max(wait, room)
            if stuck:
                break
            for u in range(runs[out[LEAVING_RUN], RUN_WRITES], runs[out[LEAVING_RUN], RUN_END]):
                fifo = fifos[uses[u]]
                fifo[WRITER_BLOCKED] += max(0, _room(fifo, read) - free)
                _write(fifo, wait, written, read, queue, queued, state)
            leave = wait - at
            record[out[LEAVING_ITEM], END] = wait
            if at > until:
                place = base + (own[AHEAD_TAIL] & mask)
                ahead[place, 0], ahead[place, 1] = at, leave
                own[AHEAD_TAIL] += 1
            elif not over and leave > entry:
                record[item, HELD] += leave - entry
                entry = leave
            head += 1
            work += 1
        if over or (stuck and flight[base + (head & mask), LEAVES] <= until):
            break
        while own[AHEAD_HEAD] < own[AHEAD_TAIL] and ahead[base + (own[AHEAD_HEAD] & mask), 0] <= tick:
            held = ahead[base + (own[AHEAD_HEAD] & mask), 1]
            if held > entry:
                record[item, HELD] += held - entry
                entry = held
            own[AHEAD_HEAD] += 1
        if ended:
            for k in range(max(head, own[SETTLED]), tail):
                if not ideal:
                    flight[base + (k & mask), SINCE] = entry
            own[SETTLED] = tail
            tick += interval  # `tick` was that of the last iteration
            loop += 1
            if loop == own[END_LOOP]:
                loop = own[FIRST_LOOP]
                item += 1
                tick += own[RESTART]
            lead, interval = loops[loop, LOOP_LEAD], loops[loop, LOOP_INTERVAL]
            if loops[loop, LOOP_WRITES]:
                tick = max(tick, own[LAST_EXIT] + 1 - lead)
            run = loops[loop, LOOP_FIRST_RUN]
            own[REPEAT] = 0
            done = 0
        else:
            reads, writes, end = runs[run, RUN_READS], runs[run, RUN_WRITES], runs[run, RUN_END]
            count = runs[run, RUN_COUNT]
            if reads == end:
                tick += count * interval
                done = count
            else:
                together = run  # the run whose writes leave with this iteration
                joined = 0
                if not ideal:
                    if lead == 0:
                        joined = 1
                    elif head < tail and head >= own[SETTLED] and flight[base + (head & mask), LEAVES] == tick:
                        together, joined = flight[base + (head & mask), LEAVING_RUN], 1
                free = entry + tick
                come = free
                missing = False
                for u in range(reads, writes):
                    ready = _ready(fifos[uses[u]], written)
                    if ready == UNKNOWN:
                        fifos[uses[u], READER_WAITS] = 1
                        missing = True
                    come = max(come, ready)
                wait = come
                if joined:
                    for u in range(runs[together, RUN_WRITES], runs[together, RUN_END]):
                        room = _room(fifos[uses[u]], read)
                        if room == UNKNOWN:
                            fifos[uses[u], WRITER_WAITS] = 1
                            missing = True
                        wait = max(wait, room)
                if missing:
                    if starved:
                        break
                    starved = True
                    continue
                starved = False
                for u in range(reads, writes):
                    fifo = fifos[uses[u]]
                    fifo[READER_WAITED] += max(0, _ready(fifo, written) - free)
                    read[fifo[OFFSET] + (fifo[READ] & fifo[MASK])] = wait
                    fifo[READ] += 1
                    if fifo[WRITER_WAITS]:
                        fifo[WRITER_WAITS] = 0
                        _wake(fifo[WRITER], queue, queued, state)
                entry = wait - tick
                if record[item, START] < 0:
                    record[item, START] = wait
                record[item, WAITING] += come - free
                record[item, HELD] += wait - come
                record[item, END] = max(record[item, END], wait)
                if writes < end and (ideal or lead > 0):
                    out = flight[base + (tail & mask)]
                    out[LEAVES], out[SINCE], out[LEAVING_RUN], out[LEAVING_ITEM] = tick + lead, entry, run, item
                    tail += 1
                if writes < end:
                    own[LAST_EXIT] = tick + lead
                if joined:
                    for u in range(runs[together, RUN_WRITES], runs[together, RUN_END]):
                        fifo = fifos[uses[u]]
                        fifo[WRITER_BLOCKED] += max(0, _room(fifo, read) - free)
                        _write(fifo, wait, written, read, queue, queued, state)
                    leave = entry
                    if lead > 0:
                        head += 1
                tick += interval
                done += 1
                work += 1
            if done == count:
                done = 0
                run += 1
                if run == loops[loop, LOOP_END_RUN]:
                    own[REPEAT] += 1
                    if own[REPEAT] < loops[loop, LOOP_REPEATS]:
                        run = loops[loop, LOOP_FIRST_RUN]
                    else:
                        tick -= interval
    own[LOOP], own[RUN], own[TICK], own[ENTRY] = loop, run, tick, entry
    own[EXIT], own[HEAD], own[TAIL] = leave, head, tail
    own[DONE], own[ITEM] = done, item
    return work


@njit(cache=True, error_model="numpy")
def _write(fifo: Array, at: int, written: Array, read: Array, queue: Array, queued: Array, state: Array) -> None:
    if fifo[WRITTEN] - fifo[SEEN_READS] > fifo[MASK]:
        _see(fifo, written, read, False)
    written[fifo[OFFSET] + (fifo[WRITTEN] & fifo[MASK])] = at
    fifo[WRITTEN] += 1
    if fifo[READER_WAITS]:
        fifo[READER_WAITS] = 0
        _wake(fifo[READER], queue, queued, state)


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
            _see(fifos[f], written, read, True)
    return work

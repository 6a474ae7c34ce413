"""Compiled: SPARK's nibble streams, sixteen nibbles of a 64-bit word at a time.

Inside, the first nibble of a word is its lowest, so that additions carry forward in the stream; in memory the first
nibble of a byte is its high one. A stream is cut into tiles that begin at whole bytes, and each is packed alone.
"""

# mypy: ignore-errors

from __future__ import annotations

import numpy as np
from numba import njit

ONES = np.uint64(0x0101010101010101)  # lowest bit of each byte
NIBBLES = np.uint64(0x1111111111111111)  # lowest bit of each nibble
ODD = np.uint64(0x1010101010101010)  # lowest bit of each second nibble
LOW = np.uint64(0x0F0F0F0F0F0F0F0F)
HALF = np.uint64(0x00FF00FF00FF00FF)
QUARTER = np.uint64(0xFFFF)
TWOS = np.uint64(0x0202020202020202)
NONE, ONE, TWO, THREE, FOUR, FIVE = (np.uint64(k) for k in range(6))
SIX, SEVEN, EIGHT, FIFTEEN, LAST, WORD = (np.uint64(k) for k in (6, 7, 8, 15, 60, 64))
BYTE, INDEX = np.uint64(0xFF), np.uint64(0xFFF)


@njit(error_model="numpy", inline="always")
def copy(source, target):
    """The bytes of one array to the beginning of another."""
    for k in range(len(source)):
        target[k] = source[k]


@njit(error_model="numpy", inline="always")
def swapped(word):
    """The two nibbles of each byte exchanged."""
    return ((word >> FOUR) & LOW) | ((word & LOW) << FOUR)


@njit(error_model="numpy", inline="always")
def nearer(value):
    """Eight values, those that SPARK rounds the long way moved to where it takes them the short way.

    24..31, 56..63 and 88..95 go to the next multiple of 32; 160..167, 192..199 and 224..231 to the number below.
    """
    b0, b1, b2 = (value >> SEVEN) & ONES, (value >> SIX) & ONES, (value >> FIVE) & ONES
    b3, b4 = (value >> FOUR) & ONES, (value >> THREE) & ONES
    up = b3 & b4 & ~b0 & ~(b1 & b2)
    down = b0 & ~b3 & ~b4 & (b1 | b2)
    top = value & ((b0 << SEVEN) | (b1 << SIX) | (b2 << FIVE))
    changed = ((up | down) << EIGHT) - (up | down)
    return (value & ~changed) | ((top + (up << FIVE) - down) & changed)


@njit(error_model="numpy", inline="always")
def coded(value):
    """The code words of eight values: each in its byte, the first nibble low; the high one is empty in a short word."""
    b0, b3 = (value >> SEVEN) & ONES, (value >> FOUR) & ONES
    long = b0 | b3 | (((value >> SIX) | (value >> FIVE) | (value >> THREE)) & ONES)
    long = (long << EIGHT) - long
    differ = b0 ^ b3
    differ = (differ << FOUR) - differ
    second = (value & LOW & ~differ) | (((b3 << FOUR) - b3) & differ)
    first = (ONES << THREE) | ((value >> FOUR) & (ONES * SIX)) | b0
    return (((second << FOUR) | first) & long) | (value & ~long)


@njit(error_model="numpy")
def pack(values, bounds, nearest, payload, offsets):
    """Code words of ``values[bounds[t] : bounds[t+1]]`` for each tile t, into ``payload[offsets[t] : offsets[t+1]]``.

    ``offsets`` is written too; ``payload`` has a byte for each value.
    """
    most = 0
    for t in range(len(bounds) - 1):
        most = max(most, bounds[t + 1] - bounds[t])
    word, bits = np.zeros(most // 8 + 2, np.uint64), np.zeros(most // 8 + 2, np.uint64)
    out = np.zeros(most // 8 + 2, np.uint64)
    word_bytes, out_bytes = word.view(np.uint8), out.view(np.uint8)
    end = 0
    for t in range(len(bounds) - 1):
        begin, n = bounds[t], bounds[t + 1] - bounds[t]
        words = (n + 7) // 8
        if words:
            word[words - 1] = NONE
        copy(values[begin : begin + n], word_bytes)
        for i in range(words):
            value = nearer(word[i]) if nearest else word[i]
            code = coded(value)
            long = (code >> THREE) & ONES
            # bytes to pairs: the second moves down where the first is short
            short = ~((long << EIGHT) - long) & HALF
            second = (code >> EIGHT) & HALF
            pair = (code & HALF) | (
                ((second << EIGHT) & ~(short * np.uint64(257))) | ((second << FOUR) & (short * np.uint64(257)))
            )
            count = (long + (long >> EIGHT)) & HALF
            b1 = EIGHT + FOUR * (count & BYTE)
            b2 = b1 + EIGHT + FOUR * ((count >> np.uint64(16)) & BYTE)
            b3 = b2 + EIGHT + FOUR * ((count >> np.uint64(32)) & BYTE)
            bits[i] = b3 + EIGHT + FOUR * (count >> np.uint64(48))
            word[i] = (
                (pair & QUARTER)
                | (((pair >> np.uint64(16)) & QUARTER) << b1)
                | (((pair >> np.uint64(32)) & QUARTER) << b2)
                | ((pair >> np.uint64(48)) << b3)
            )
        at, held, fill = 0, NONE, NONE
        for i in range(words):
            held |= word[i] << fill
            out[at] = held
            total = fill + bits[i]
            full = NONE - (total >> SIX)
            held = (((word[i] >> ONE) >> (WORD - ONE - fill)) & full) | (held & ~full)
            at += np.int64(total >> SIX)
            fill = total & (WORD - ONE)
        out[at] = held
        nibbles = at * 16 + np.int64(fill >> TWO) - (words * 8 - n)  # those beyond the last value are empty
        size = (nibbles + 1) // 2
        for i in range(at + 1):
            out[i] = swapped(out[i])
        offsets[t] = end
        copy(out_bytes[:size], payload[end : end + size])
        end += size
    offsets[len(bounds) - 1] = end


@njit(error_model="numpy")
def unpack(payload, offsets, bounds, pairs, out):
    """The values of each tile, into ``out[bounds[t] : bounds[t+1]]``; returns the first tile that is damaged, else -1.

    ``pairs`` has what a byte gives: index is the byte, first nibble low, and above it the first nibble of a word that
    is not ended, else 0; the entry is one or two values. A tile must hold exactly its values, an odd nibble at its end
    must be 0, and ``1000 0xxx`` must not occur.
    """
    most = 0
    for t in range(len(bounds) - 1):
        most = max(most, offsets[t + 1] - offsets[t])
    # The first of each is 0: what comes before a tile.
    word, head = np.zeros(most // 8 + 2, np.uint64), np.zeros(most // 8 + 2, np.uint64)
    even, odd, ends = np.empty(len(word), np.uint64), np.empty(len(word), np.uint64), np.empty(len(word), np.uint64)
    found = np.empty(2 * most + 64, np.uint8)
    word_bytes = word.view(np.uint8)[8:]
    for t in range(len(bounds) - 1):
        begin, size, start, n = offsets[t], offsets[t + 1] - offsets[t], bounds[t], bounds[t + 1] - bounds[t]
        words = size // 8 + 1  # at least one nibble follows the last
        word[words] = NONE
        copy(payload[begin : begin + size], word_bytes)
        wrong = split(word[: words + 1], head, even, odd, ends)
        at = emit(even[:words].view(np.uint16), odd[:words].view(np.uint16), ends[:words], pairs, found)
        spare = at - (16 * words - 2 * size) - n
        if wrong or not sound(head[1:], word[1:], 2 * size - 1, spare):
            return t
        copy(found[:n], out[start : start + n])
    return -1


@njit(error_model="numpy")
def split(word, head, even, odd, ends):
    """Find where values begin, and prepare what :func:`emit` takes; returns whether a word occurs that no value has."""
    for i in range(len(word)):
        word[i] = swapped(word[i])
    for i in range(len(word) - 1):
        # Which nibbles begin a long word: every second one of a row of set first bits, from where a word may begin.
        # The subtraction finds the rows' ends in all sixteen at once. Here if no word is open before, and
        # what changes if one is.
        first = (word[i + 1] >> THREE) & NIBBLES
        free = first & ~ONE
        even[i] = ((((first << FOUR) | ODD) - first) ^ ODD) & first
        odd[i] = (((((free << FOUR) | ODD) - free) ^ ODD) & first) ^ even[i]
    open_ = NONE  # or all bits
    for i in range(len(word) - 1):
        head[i + 1] = even[i] ^ (odd[i] & open_)
        open_ = (NONE - (even[i] >> LAST)) ^ ((NONE - (odd[i] >> LAST)) & open_)
    for i in range(len(word) - 1):  # two loops: the compiler vectorises those that write few arrays
        last, h, w = head[i], head[i + 1], word[i + 1]
        before = (word[i] & ((last << FOUR) - last)) >> LAST
        waiting = ((w & ((h << FOUR) - h)) << FOUR) | before
        even[i] = (w & HALF) | ((waiting & HALF & LOW) << EIGHT)
        odd[i] = ((w >> EIGHT) & HALF) | (((waiting >> EIGHT) & HALF & LOW) << EIGHT)
    wrong = NONE
    for i in range(len(word) - 1):
        last, h, w = head[i], head[i + 1], word[i + 1]
        both = TWOS - ((h | (h >> FOUR)) & ONES)  # values that end with each byte; now up to and with it
        both += both << EIGHT
        both += both << np.uint64(16)
        ends[i] = both + (both << np.uint64(32))
        eight = (last & ~(word[i] | (word[i] >> ONE) | (word[i] >> TWO))) >> LAST
        eight |= (h & ~(w | (w >> ONE) | (w >> TWO))) << FOUR
        wrong |= eight & ~(w >> THREE) & NIBBLES
    return wrong != NONE


@njit(error_model="numpy")
def emit(even, odd, ends, pairs, found):
    """The values, one or two for each byte; a second that is none is written over. Returns how many."""
    at = NONE
    for i in range(len(ends)):
        past, base = ends[i], np.uint64(4 * i)
        for k in range(4):
            place = at if k == 0 else at + ((past >> np.uint64(16 * k - 8)) & BYTE)
            values = pairs[even[base + np.uint64(k)]]
            found[place] = np.uint8(values)
            found[place + ONE] = np.uint8(values >> 8)
            place = at + ((past >> np.uint64(16 * k)) & BYTE)
            values = pairs[odd[base + np.uint64(k)]]
            found[place] = np.uint8(values)
            found[place + ONE] = np.uint8(values >> 8)
        at += past >> np.uint64(56)
    return np.int64(at)


@njit(error_model="numpy", inline="always")
def sound(head, word, last, spare):
    """Whether a tile ends as it must: no long word that is not ended, and at most one more nibble, a short 0."""
    if spare != 0 and spare != 1:
        return False
    if last < 0:
        return spare == 0
    if (head[last >> 4] >> np.uint64(4 * (last & 15))) & ONE:
        return False
    if spare == 0:
        return True
    inner = last - 1
    tail = (head[inner >> 4] >> np.uint64(4 * (inner & 15))) & ONE
    return tail == NONE and (word[last >> 4] >> np.uint64(4 * (last & 15))) & FIFTEEN == NONE


@njit(error_model="numpy")
def join_signs(magnitude, signs, out):
    """``magnitude``, negative where its bit is set; a byte's highest bit is its first."""
    for byte in range(len(magnitude) // 8):
        word = np.uint32(signs[byte])
        for k in range(8):
            minus = -np.int16((word >> np.uint32(7 - k)) & np.uint32(1))
            out[8 * byte + k] = np.int16(np.int16(magnitude[8 * byte + k]) ^ minus) - minus
    for k in range(len(magnitude) // 8 * 8, len(magnitude)):
        minus = np.int16((signs[k >> 3] >> (7 - (k & 7))) & 1)
        out[k] = (np.int16(magnitude[k]) ^ -minus) + minus


@njit(error_model="numpy")
def split_signs(levels, magnitude, signs):
    """The opposite: magnitudes, and a bit for each level, set where it is negative."""
    for k in range(len(levels)):
        magnitude[k] = abs(levels[k])
    for byte in range(len(levels) // 8):
        bits = np.uint32(0)
        for k in range(8):
            bits |= np.uint32(levels[8 * byte + k] < 0) << np.uint32(7 - k)
        signs[byte] = bits
    if len(levels) % 8:
        bits = 0
        for k in range(len(levels) // 8 * 8, len(levels)):
            bits |= (levels[k] < 0) << (7 - (k & 7))
        signs[len(signs) - 1] = bits

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
        for k in range(n):
            word_bytes[k] = values[begin + k]
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
        for k in range(size):
            payload[end + k] = out_bytes[k]
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
    word, head = np.zeros(most // 8 + 2, np.uint64), np.zeros(most // 8 + 2, np.uint64)
    word_bytes = word.view(np.uint8)
    found = np.empty(2 * most + 64, np.uint8)
    for t in range(len(bounds) - 1):
        begin, size, n = offsets[t], offsets[t + 1] - offsets[t], bounds[t + 1] - bounds[t]
        words = size // 8 + 1  # at least one nibble follows the last
        word[words - 1] = NONE
        for k in range(size):
            word_bytes[k] = payload[begin + k]
        for i in range(words):
            word[i] = swapped(word[i])
        at = NONE
        open_, before, eight, wrong = NONE, NONE, NONE, NONE
        for i in range(words):
            w = word[i]
            # Which nibbles begin a long word: every second one of a row of set first bits, from where a word may begin.
            # The subtraction finds the rows' ends in all sixteen at once.
            first = (w >> THREE) & NIBBLES
            free = first & ~open_
            turn = (((free << FOUR) | ODD) - free) ^ ODD
            h = turn & first
            head[i] = h
            alone = h & ~(w | (w >> ONE) | (w >> TWO))
            wrong |= ((alone << FOUR) | eight) & ~first & NIBBLES
            eight = alone >> LAST
            open_ = h >> LAST
            kept = w & ((h << FOUR) - h)
            waiting = (kept << FOUR) | before
            before = kept >> LAST
            even = (w & HALF) | ((waiting & HALF & LOW) << EIGHT)
            odd = ((w >> EIGHT) & HALF) | (((waiting >> EIGHT) & HALF & LOW) << EIGHT)
            ends = (TWOS - ((h | (h >> FOUR)) & ONES)) * ONES  # values up to and with each byte
            past = ends << EIGHT
            for k in range(4):
                shift = np.uint64(16 * k)
                two = pairs[(even >> shift) & INDEX]
                place = at + ((past >> shift) & BYTE)
                found[place] = np.uint8(two)
                found[place + ONE] = np.uint8(two >> 8)
                two = pairs[(odd >> shift) & INDEX]
                place = at + ((past >> (shift + EIGHT)) & BYTE)
                found[place] = np.uint8(two)
                found[place + ONE] = np.uint8(two >> 8)
            at += ends >> np.uint64(56)
        spare = np.int64(at) - (16 * words - 2 * size) - n
        if wrong or not sound(head, word, 2 * size - 1, spare):
            return t
        for k in range(n):
            out[bounds[t] + k] = found[k]
    return -1


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
def join_signs(magnitude, signs, first, out):
    """``magnitude``, negative where the bit of its place is set; bits count from ``first``, a byte's highest first."""
    for k in range(len(magnitude)):
        place = first + k
        minus = np.int16((signs[place >> 3] >> (7 - (place & 7))) & 1)
        out[k] = (np.int16(magnitude[k]) ^ -minus) + minus


@njit(error_model="numpy")
def split_signs(levels, magnitude, signs):
    """The opposite: magnitudes, and a bit for each level, set where it is negative."""
    for k in range(len(levels)):
        magnitude[k] = abs(levels[k])
    for byte in range(len(signs)):
        bits = 0
        for k in range(8 * byte, min(8 * byte + 8, len(levels))):
            bits |= (levels[k] < 0) << (7 - (k & 7))
        signs[byte] = bits

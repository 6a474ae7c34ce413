"""The compiled recursions behind :mod:`.timing`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

Array = Any


@njit(cache=True, error_model="numpy")
def elastic(a: Array, w: Array, decode_a: Array, decode_w: Array, pair: bool, registers: int) -> Array:
    """Cycles at which an array with handshakes has done the k-th work of all its elements: int32 (steps,).

    An element takes an activation at the edge ``A(i, j, k)``, the later of: a cycle after its left neighbour took it;
    when the register of ``k - registers`` is free, which is when its work is done and the right neighbour has taken
    it. Weights ``W(i, j, k)`` likewise, from the top. Its work begins when both are there and the work before is done,
    and takes its cycles. A decoder works ahead by one operand. (A neighbour hands on one operand a cycle; that follows,
    as no work is shorter.)

    Parameters
    ----------
    a, w : int32 (steps, rows), int32 (steps, columns)
        Parts of each operand.
    decode_a, decode_w : int32, of the same shapes
        Cycles of a decoder.
    pair : bool
        Work is the larger number of parts, not their product.
    registers : int
    """
    steps, rows = a.shape
    columns = w.shape[1]
    done = np.zeros(steps, np.int32)
    # Ring of the last steps. The last row and column stay 0: beyond the border, whatever comes is taken at once.
    taken_a = np.zeros((registers, rows + 1, columns + 1), np.int32)
    taken_w = np.zeros((registers, rows + 1, columns + 1), np.int32)
    ended = np.zeros((registers, rows, columns), np.int32)
    ready_a, ready_w = np.zeros(rows, np.int32), np.zeros(columns, np.int32)
    left, top = np.zeros(columns, np.int32), np.zeros(columns, np.int32)
    for k in range(steps):
        now, before = k % registers, (k - 1) % registers
        last = np.int32(0)
        for j in range(columns):
            ready_w[j] = max(ready_w[j] + decode_w[k, j], taken_w[before, 0, j])
        for i in range(rows):
            a_now = taken_a[now, i]
            w_now, w_below = taken_w[now, i], taken_w[now, i + 1]
            end_now, end_before = ended[now, i], ended[before, i]
            weights = w[k]
            if i == 0:
                for j in range(columns):
                    top[j] = ready_w[j]
            else:
                w_above = taken_w[now, i - 1]
                for j in range(columns):
                    top[j] = np.int32(w_above[j] + 1)
            for j in range(columns):
                top[j] = max(top[j], max(end_now[j], w_below[j]))
                left[j] = max(end_now[j], a_now[j + 1])
            ready_a[i] = max(ready_a[i] + decode_a[k, i], taken_a[before, i, 0])
            arrives = ready_a[i]
            for j in range(columns):
                arrives = max(left[j], arrives)
                left[j] = arrives
                arrives = np.int32(arrives + 1)
            mine = a[k, i]
            for j in range(columns):
                work = max(mine, weights[j]) if pair else np.int32(mine * weights[j])
                end = np.int32(max(max(left[j], top[j]), end_before[j]) + work)
                a_now[j], w_now[j], end_now[j] = left[j], top[j], end
                last = max(last, end)
        done[k] = last
    return done


@njit(cache=True, error_model="numpy")
def in_step(a: Array, w: Array, decode_a: Array, decode_w: Array, pair: bool, most: int) -> Array:
    """Cycles at which an array with one enable has done the k-th work of all its elements: int32 (steps,).

    In step t, element (i, j) has the operands ``t - i - j``, and decoders have those that enter in the next step; the
    step takes the longest work of any of them. Parameters as for :func:`elastic`; `most` is the longest work there is.
    """
    steps, rows = a.shape
    columns = w.shape[1]
    done = np.zeros(steps, np.int32)
    total = 0
    for t in range(-1, steps + rows + columns - 2):
        longest = 0
        for i in range(max(0, t - steps + 2), min(rows, t + 2)):
            longest = max(longest, decode_a[t - i + 1, i])
        for j in range(max(0, t - steps + 2), min(columns, t + 2)):
            longest = max(longest, decode_w[t - j + 1, j])
        for i in range(max(0, t - columns - steps + 2), min(rows, t + 1)):
            if longest >= most:
                break
            for j in range(max(0, t - i - steps + 1), min(columns, t - i + 1)):
                mine, other = a[t - i - j, i], w[t - i - j, j]
                longest = max(longest, max(mine, other) if pair else mine * other)
        total += longest
        if t >= rows + columns - 2:
            done[t - rows - columns + 2] = total
    return done

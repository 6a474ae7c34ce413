"""Which rows the events of a step drive, with which digits, and what that costs; compiled.

Arguments are the fields of :data:`.reader.FIELDS`, described there.
"""

# mypy: ignore-errors
# (Numba gives these functions their types)

from __future__ import annotations

import numpy as np
from numba import njit

from neuromorph.engine.lowlevel import pointer
from neuromorph.native.arrays import carray

from ..converters.converter_kernels import SPARK, adaptive_bits, dac_code, stored_code
from ..converters.histogram_kernels import observe

# columns of ``stepped``, as in ledger.ACTIONS
(EVENTS, ROWS, PHASES, READS, SKIPPED, ROW_PULSES, CONVERSIONS, COMPARISONS, PULSES, SHIFT_ADDS, PARTIAL_ADDS,
 INPUT_BITS, OUTPUT_BITS, SATURATED) = range(14)  # fmt: skip
DENSE, ROW_GATED, TILE_SKIP, COMPARATOR = range(4)  # as in target.READOUTS
INPUT_SCALE, OFFSET, SPAN, WORTH = range(4)  # of ``real``


@njit(error_model="numpy")
def code_of(value, graded, rounding, least, most, real):
    """Code that an event drives its rows with; the value over the value of a code where DACs do not round."""
    if graded == 0:
        return 1.0
    if rounding:
        return np.float64(stored_code(dac_code(value, real[INPUT_SCALE], least, most), rounding))
    return value / real[INPUT_SCALE]


@njit(error_model="numpy")
def collect(
    step, sources, wide, passes, listed, graded, rounding, least, most, real, table, entry_ptr, entry_row, entry_pass,
    pass_ptr, taken_row, taken_code, stepped,
):  # fmt: skip
    """List the row inputs of this step's events by pass, in the order of their lines; gives the smallest code."""
    lowest, n = 0.0, np.int64(0)
    if listed:
        pass_ptr[: passes + 2] = 0
    for again in range(1 + listed):
        for k in range(sources):
            stride, first = table[k, 3], table[k, 4]
            row = step & table[k, 5]
            count = carray(pointer(table[k, 2]), table[k, 5] + 1, np.int64)[row]
            fired = carray(pointer(table[k, 0] + 4 * row * stride), count, np.uint32)
            at = table[k, 1] + 4 * wide * row * stride
            for j in range(count):
                line = first + np.int64(fired[j])
                value = 1.0
                if table[k, 1] != 0:
                    if wide == 1:
                        value = np.float64(carray(pointer(at), count, np.float32)[j])
                    else:
                        value = carray(pointer(at), count, np.float64)[j]
                code = code_of(value, graded, rounding, least, most, real)
                if code == 0.0:
                    continue
                lowest = min(lowest, code)
                if not listed:
                    taken_row[n], taken_code[n] = line, code
                    n += 1
                    continue
                for e in range(entry_ptr[line], entry_ptr[line + 1]):
                    if again == 0:
                        pass_ptr[entry_pass[e] + 2] += 1
                        continue
                    to = pass_ptr[entry_pass[e] + 1]
                    pass_ptr[entry_pass[e] + 1] = to + 1
                    taken_row[to], taken_code[to] = entry_row[e], code
            if again == listed:
                stepped[EVENTS] += count
        if listed and again == 0:
            for p in range(passes):
                pass_ptr[p + 2] += pass_ptr[p + 1]
    if not listed:
        pass_ptr[0], pass_ptr[1] = 0, n
    return lowest


@njit(error_model="numpy")
def observe_values(step, sources, wide, histogram, bins, table, seen, seen_sums, seen_state):
    """Add the values of this step's events to a histogram."""
    for k in range(sources):
        row = step & table[k, 5]
        count = carray(pointer(table[k, 2]), table[k, 5] + 1, np.int64)[row]
        at = table[k, 1] + 4 * wide * row * table[k, 3]
        for j in range(count):
            value = 1.0
            if table[k, 1] != 0:
                if wide == 1:
                    value = np.float64(carray(pointer(at), count, np.float32)[j])
                else:
                    value = carray(pointer(at), count, np.float64)[j]
            observe(value, 1, histogram, bins, seen, seen_sums, seen_state)


@njit(error_model="numpy")
def drive(
    begin, end, replica, rows, taken_row, taken_code, row_ptr, row_group, row_place, group_rows, driven, driven_place,
    driven_code,
):  # fmt: skip
    """Give row inputs to the groups of a replica that hold their rows."""
    for e in range(begin, end):
        row = replica * rows + taken_row[e]
        for k in range(row_ptr[row], row_ptr[row + 1]):
            g = row_group[k]
            to = group_rows[g] + driven[g]
            driven[g] += 1
            driven_place[to], driven_code[to] = row_place[k], taken_code[e]


@njit(error_model="numpy")
def cut_digits(
    first, count, phases, dac_bits, split, most_rows, driven_place, driven_code, digits, digit_place, digit_value
):
    """Digit lists of a group: list p holds what phase p drives, list phases + p its negative inputs if they are split.

    The lowest digit keeps the fraction of a code that was not rounded, the highest all that is left.
    """
    for q in range(phases * (1 + split)):
        digits[q] = 0
    for i in range(first, first + count):
        left = abs(driven_code[i])
        negative = driven_code[i] < 0.0
        for p in range(phases - 1, -1, -1):
            digit = left
            if p:
                worth = np.float64(np.int64(1) << p * dac_bits)
                digit = np.floor(left / worth)
                left -= digit * worth
            if digit != 0.0:
                q = phases + p if split and negative else p
                to = q * most_rows + digits[q]
                digits[q] += 1
                digit_place[to] = driven_place[i]
                digit_value[to] = -digit if negative and not split else digit


@njit(error_model="numpy")
def account_group(
    g, count, lists, most_rows, readout, adc_bits, level_span, digits, digit_place, digit_value, group_rows, group_ptr,
    group_outputs, group_columns, kind_ptr, kind_step, kind_columns, conductance, active, group_reads, group_driven,
    conversions, stepped,
):  # fmt: skip
    """Count what the digit lists of a group cost; gives the sum of codes times conductances."""
    blocks = group_ptr[g + 1] - group_ptr[g]
    total, reads = 0.0, np.int64(0)
    for p in range(lists):
        n = digits[p]
        if n == 0:
            continue
        codes = 0.0
        for i in range(p * most_rows, p * most_rows + n):
            codes += abs(digit_value[i])
            total += abs(digit_value[i]) * conductance[group_rows[g] + digit_place[i]]
        reads += 1
        active[p] = 1
        group_reads[g] += readout >= TILE_SKIP
        group_driven[g] += n if readout != DENSE else 0
        if readout == TILE_SKIP:
            for k in range(kind_ptr[g], kind_ptr[g + 1]):
                bits = adc_bits
                if level_span > 0.0 and kind_step[k] > 0.0:
                    bits = adaptive_bits(np.int64(np.ceil(min(codes * level_span / kind_step[k], 4e9))), adc_bits)
                conversions[bits] += kind_columns[k]
        stepped[ROW_PULSES] += n * blocks
    stepped[ROWS] += count * blocks
    if readout >= TILE_SKIP:
        stepped[READS] += reads * blocks
    if readout == TILE_SKIP and reads:
        stepped[CONVERSIONS] += reads * group_columns[g]
        stepped[SHIFT_ADDS] += reads * group_columns[g] - group_outputs[g]
    elif readout == COMPARATOR and reads:
        stepped[COMPARISONS] += group_columns[g]
        stepped[SHIFT_ADDS] += group_columns[g] - group_outputs[g]
    return total


@njit(error_model="numpy")
def spared_bits(first, count, rounding, driven_code):
    """Bits that the codes of a group's rows do not take in registers, as they are short codes of SPARK."""
    if rounding < SPARK:
        return 0
    spared = np.int64(0)
    for i in range(first, first + count):
        spared += 4 * (abs(driven_code[i]) < 8.0)
    return spared


@njit(error_model="numpy")
def touched_columns(g, group_ptr, block_list, block_columns, column_list, mark, stamp):
    """How many columns of a group no group before it in this pass has made sums of."""
    found = np.int64(0)
    for b in range(group_ptr[g], group_ptr[g + 1]):
        for w in range(block_list[b], block_list[b] + block_columns[b]):
            if mark[column_list[w]] != stamp:
                mark[column_list[w]] = stamp
                found += 1
    return found

"""What a matrix does in a step, compiled: rows are driven, columns summed and converted, sums added up.

Work goes by pass, then by *group*: blocks with the same rows, which are driven together. A *digit list* of a group
names the rows that one phase drives, and with which digits. All sums are float64, in one order whatever runs beside.

Arguments are the fields of :data:`.reader.FIELDS`, described there.
"""

# mypy: ignore-errors
# (Numba gives these functions their types)

from __future__ import annotations

import numpy as np
from numba import njit

from neuromorph.engine.lowlevel import pointer
from neuromorph.native.arrays import carray

from ..converters.converter_kernels import adc_saturates, distort, pulses, quantise_adc
from ..converters.histogram_kernels import observe
from ..machine.wtm2101_kernels import output_code
from .drive_kernels import (
    COMPARISONS,
    CONVERSIONS,
    DENSE,
    INPUT_BITS,
    OFFSET,
    OUTPUT_BITS,
    PARTIAL_ADDS,
    PHASES,
    PULSES,
    READS,
    ROW_PULSES,
    ROWS,
    SATURATED,
    SHIFT_ADDS,
    SKIPPED,
    SPAN,
    TILE_SKIP,
    WORTH,
    account_group,
    collect,
    cut_digits,
    drive,
    observe_values,
    spared_bits,
    touched_columns,
)
from .noise_kernels import GROUP, normals

ROWS_WIDE = 4
"""Rows that are added to the column sums in one go."""

LINEAR, CHARGE, WTM2101 = range(3)
FLOAT32, FLOAT64, INT64 = range(3)
SCALAR, OWN = 1, 2


@njit(error_model="numpy")
def add_rows(sums, held, at, width, places, values, first, count, power):
    """Add rows of a block to its column sums, one after another: ``values ** power`` times what their cells hold."""
    width = np.uint64(width)
    i = first
    while i < first + count:
        left = first + count - i
        a = values[i] if power == 1 else values[i] * values[i]
        ra = np.uint64(at) + np.uint64(places[i]) * width
        if left < ROWS_WIDE:
            for j in range(width):
                sums[j] = sums[j] + a * np.float64(held[ra + j])
            i += 1
            continue
        b = values[i + 1] if power == 1 else values[i + 1] * values[i + 1]
        c = values[i + 2] if power == 1 else values[i + 2] * values[i + 2]
        d = values[i + 3] if power == 1 else values[i + 3] * values[i + 3]
        rb = np.uint64(at) + np.uint64(places[i + 1]) * width
        rc = np.uint64(at) + np.uint64(places[i + 2]) * width
        rd = np.uint64(at) + np.uint64(places[i + 3]) * width
        for j in range(width):
            s = sums[j] + a * np.float64(held[ra + j])
            s = s + b * np.float64(held[rb + j])
            s = s + c * np.float64(held[rc + j])
            sums[j] = s + d * np.float64(held[rd + j])
        i += ROWS_WIDE


@njit(error_model="numpy")
def add_noise(
    b, width, noisy, seed, step, sample, read, at, places, values, first, count, block_noise, block_variance, variance,
    sums, spread, words, words_at, normal,
):  # fmt: skip
    """Add read noise to column sums: of every cell, its standard deviation times its input."""
    wide = np.uint64(width)
    if noisy == OWN:
        for j in range(wide):
            spread[j] = 0.0
        add_rows(spread, variance, at, width, places, values, first, count, 2)
    else:
        squares = 0.0
        for i in range(first, first + count):
            squares += values[i] * values[i]
        for j in range(wide):
            spread[j] = squares * block_variance[b]
    groups = (wide + np.uint64(GROUP - 1)) // np.uint64(GROUP)
    normals(
        np.uint64(seed), np.uint64(block_noise[b]), groups, np.uint64(step), np.uint64(sample), np.uint64(read),
        words_at, words, normal,
    )  # fmt: skip
    for j in range(wide):
        sums[j] += np.sqrt(spread[j]) * normal[j]


@njit(error_model="numpy")
def convert(columns, first, rule, top, distorted, adc_lo, adc_step, adc_offset, adc_gain, sums):
    """Make of column sums what their converters tell; gives how many were out of range."""
    first = np.uint64(first)
    if distorted:
        for j in range(np.uint64(columns)):
            sums[j] = distort(sums[j], adc_step[first + j], adc_offset[first + j], adc_gain[first + j])
    beyond = np.int64(0)
    if rule == WTM2101:
        for j in range(np.uint64(columns)):
            gain = np.int64(adc_step[first + j])
            whole = np.int64(np.rint(sums[j]))
            code = output_code(whole, gain)
            beyond += np.int64(code == 127 and 4 * whole // gain >= 510)
            beyond += np.int64(code == -128 and -(-4 * whole // gain) < -514)
            sums[j] = np.float64(code * gain)
        return beyond
    for j in range(np.uint64(columns)):
        beyond += np.int64(adc_saturates(sums[j], adc_lo[first + j], adc_step[first + j], top))
    for j in range(np.uint64(columns)):
        sums[j] = quantise_adc(sums[j], adc_lo[first + j], adc_step[first + j], top)
    return beyond


@njit(error_model="numpy")
def fire(columns, first, at, top, adc_step, charge, residue, stepped):
    """Turn charge into pulses of comparators; what is less than a quantum stays. Gives how many counters were full."""
    full = np.int64(0)
    for j in range(columns):
        quantum = adc_step[first + j]
        n, left = pulses(residue[at + j] + charge[j], quantum, top)
        residue[at + j] = left
        charge[j] = np.float64(n) * quantum
        stepped[PULSES] += abs(n)
        stepped[COMPARISONS] += abs(n)
        full += np.int64(abs(left) >= quantum)
    return full


@njit(error_model="numpy")
def read_block(
    b, p, first, count, step, sample, seed, slices, phases, dac_bits, split, most_rows, rule, top, noisy, distorted,
    observing, bins, real, digits, digit_place, digit_value, driven_code, block_at, block_width, block_columns,
    block_first, block_noise, block_variance, block_factor, residue_pass, held, variance, combine,
    adc_lo, adc_step, adc_offset, adc_gain, slice_histogram, seen, seen_sums, seen_state, residue, sums, spread, words,
    words_at, normal, charge, made, stepped,
):  # fmt: skip
    """Sums of a block's outputs into ``made``; gives the conversions that were out of range."""
    width, outputs = block_width[b], np.uint64(block_columns[b])
    columns, beyond = block_columns[b] * slices, np.int64(0)
    for w in range(outputs):
        made[w] = 0.0
    if rule == CHARGE:
        for j in range(columns):
            charge[j] = 0.0
    for q in range(phases * (1 + split)):
        if digits[q] == 0:
            continue
        for j in range(width):
            sums[j] = 0.0
        factor = np.float64(np.int64(1) << ((q % phases) * dac_bits)) * (-1.0 if q >= phases else 1.0)
        add_rows(sums, held, block_at[b], width, digit_place, digit_value, q * most_rows, digits[q], 1)
        if noisy:
            add_noise(
                b, width, noisy, seed, step, sample, p * 2 * phases + q, block_at[b], digit_place, digit_value,
                q * most_rows, digits[q], block_noise, block_variance, variance, sums, spread, words, words_at, normal,
            )  # fmt: skip
        if observing:
            for j in range(columns):
                observe(sums[j], 1, slice_histogram[b * slices + j // block_columns[b]], bins, seen, seen_sums,
                        seen_state)  # fmt: skip
        if rule == CHARGE:
            for j in range(columns):
                charge[j] += factor * sums[j]
            continue
        if top > 0:
            beyond += convert(
                columns, block_first[b], rule, top, distorted, adc_lo, adc_step, adc_offset, adc_gain, sums
            )
        for k in range(slices):
            share, at = combine[k] * factor, np.uint64(k) * outputs
            for w in range(outputs):
                made[w] += share * sums[at + w]
    if rule == CHARGE:
        at = block_first[b] + p * residue_pass
        beyond += fire(columns, block_first[b], at, top, adc_step, charge, residue, stepped)
        for k in range(slices):
            for w in range(outputs):
                made[w] += combine[k] * charge[np.uint64(k) * outputs + w]
    factor = block_factor[b]
    if factor != 1.0:
        for w in range(outputs):
            made[w] *= factor
    if real[OFFSET] != 0.0:
        codes = 0.0
        for i in range(first, first + count):
            codes += driven_code[i]
        for w in range(outputs):
            made[w] -= real[OFFSET] * codes
    for w in range(outputs):
        made[w] *= real[WORTH]
    return beyond


@njit(error_model="numpy")
def add_sums(columns, kind, ring, slot, place, shift, total):
    """Round the sums of a pass to the port's type, add them to the delay ring and clear them."""
    if kind == FLOAT32:
        floats = carray(pointer(ring), np.int64(1) << 62, np.float32)
        for c in range(columns):
            floats[np.uint64(slot + place[c] + shift)] += np.float32(total[c])
    elif kind == FLOAT64:
        doubles = carray(pointer(ring), np.int64(1) << 62, np.float64)
        for c in range(columns):
            doubles[np.uint64(slot + place[c] + shift)] += total[c]
    else:
        ints = carray(pointer(ring), np.int64(1) << 62, np.int64)
        for c in range(columns):
            ints[np.uint64(slot + place[c] + shift)] += np.int64(np.rint(total[c]))
    for c in range(columns):
        total[c] = 0.0


@njit(error_model="numpy")
def read_matrix(
    step, matrix, sources, wide, rows, columns, passes, replicas, listed, graded, rounding, least, most, computing,
    readout, rule, slices, phases, dac_bits, split, most_rows, adc_bits, top, noisy, distorted, observing, bins,
    value_histogram, seed, delay, ring, ring_kind, ring_mask, ring_row, input_bits, output_bits, regular, dense_reads,
    dense_phases, dense_columns, dense_outputs, dense_distinct, dense_pulses, residue_pass, words_at, real, table,
    entry_ptr, entry_row, entry_pass, pass_post, pass_ptr, taken_row, taken_code, row_ptr, row_group, row_place,
    replica_ptr, group_rows, group_ptr, group_outputs, group_columns, kind_ptr, kind_step, kind_columns, conductance,
    driven, driven_place, driven_code, digits, digit_place, digit_value, active, replica_phases, block_at, block_width,
    block_columns, block_first, block_list, block_noise, block_variance, block_factor, held, variance, combine, adc_lo,
    adc_step, adc_offset, adc_gain, slice_histogram, seen, seen_sums, seen_state, residue, sums, spread, words, normal,
    charge, made, total, mark, column_list, place, sample, stepped, conversions, group_reads, group_driven,
    block_beyond, totals, code_sums, series, cells,
):  # fmt: skip
    """All that a matrix does in a step."""
    for k in range(len(stepped)):
        stepped[k] = 0
    lowest = collect(
        step, sources, wide, passes, listed, graded, rounding, least, most, real, table, entry_ptr, entry_row,
        entry_pass, pass_ptr, taken_row, taken_code, stepped,
    )  # fmt: skip
    if observing:
        observe_values(step, sources, wide, value_histogram, bins, table, seen, seen_sums, seen_state)
    codes, lists, spared = 0.0, phases * (1 + split), np.int64(0)
    slot = ((step + delay) & ring_mask) * ring_row
    for r in range(replicas):
        replica_phases[r] = 0
    for p in range(passes):
        if pass_ptr[p] == pass_ptr[p + 1]:
            continue
        r = p % replicas
        for g in range(replica_ptr[r], replica_ptr[r + 1]):
            driven[g] = 0
        for q in range(lists):
            active[q] = 0
        drive(
            pass_ptr[p], pass_ptr[p + 1], r, rows, taken_row, taken_code, row_ptr, row_group, row_place, group_rows,
            driven, driven_place, driven_code,
        )  # fmt: skip
        outputs, distinct = np.int64(0), np.int64(0)
        cells[1] += 1
        for g in range(replica_ptr[r], replica_ptr[r + 1]):
            if driven[g] == 0:
                continue
            first = group_rows[g]
            cut_digits(
                first, driven[g], phases, dac_bits, split, most_rows, driven_place, driven_code, digits, digit_place,
                digit_value,
            )  # fmt: skip
            codes += account_group(
                g, driven[g], lists, most_rows, readout, adc_bits, real[SPAN], digits, digit_place, digit_value,
                group_rows, group_ptr, group_outputs, group_columns, kind_ptr, kind_step, kind_columns, conductance,
                active, group_reads, group_driven, conversions, stepped,
            )  # fmt: skip
            spared += spared_bits(first, driven[g], rounding, driven_code) * (group_ptr[g + 1] - group_ptr[g])
            outputs += group_outputs[g]
            if regular:
                distinct = columns
            else:
                distinct += touched_columns(g, group_ptr, block_list, block_columns, column_list, mark, cells[1])
            if not computing:
                continue
            for b in range(group_ptr[g], group_ptr[g + 1]):
                beyond = read_block(
                    b, p, first, driven[g], step, sample[0], seed, slices, phases, dac_bits, split, most_rows, rule,
                    top, noisy, distorted, observing, bins, real, digits, digit_place, digit_value, driven_code,
                    block_at, block_width, block_columns, block_first, block_noise, block_variance, block_factor,
                    residue_pass, held, variance, combine, adc_lo, adc_step, adc_offset, adc_gain,
                    slice_histogram, seen, seen_sums, seen_state, residue, sums, spread, words, words_at, normal,
                    charge, made, stepped,
                )  # fmt: skip
                block_beyond[b] += beyond
                stepped[SATURATED] += beyond
                for w in range(block_columns[b]):
                    total[column_list[block_list[b] + w]] += made[w]
        if computing:
            add_sums(columns, ring_kind, ring, slot, place, pass_post[p], total)
        stepped[PARTIAL_ADDS] += outputs - distinct
        if outputs:
            stepped[OUTPUT_BITS] += distinct * output_bits
        for q in range(lists):
            replica_phases[r] += active[q]
    stepped[INPUT_BITS] = stepped[ROWS] * input_bits - spared
    sets = 2 if split and lowest < 0.0 else 1
    if readout < TILE_SKIP:  # all arrays are read in all phases, whatever came
        stepped[PHASES], stepped[READS] = dense_phases * sets, dense_reads * sets
        stepped[CONVERSIONS] = dense_columns * sets
        conversions[adc_bits] += dense_columns * sets
        stepped[SHIFT_ADDS] = dense_columns * sets - dense_outputs
        stepped[PARTIAL_ADDS] = dense_outputs - dense_distinct
        stepped[OUTPUT_BITS] = dense_distinct * output_bits
        if readout == DENSE:
            stepped[ROW_PULSES] = dense_pulses * sets
        for r in range(replicas):
            reads = (passes - r + replicas - 1) // replicas * phases * sets
            for g in range(replica_ptr[r], replica_ptr[r + 1]):
                group_reads[g] += reads
                if readout == DENSE:
                    group_driven[g] += reads * (group_rows[g + 1] - group_rows[g])
    else:
        for r in range(replicas):
            stepped[PHASES] = max(stepped[PHASES], replica_phases[r])
        stepped[SKIPPED] = dense_reads * sets - stepped[READS]
    for k in range(len(stepped)):
        totals[matrix, k] += stepped[k]
        series[cells[0], matrix, k] = stepped[k]
    code_sums[matrix] += codes
    series[cells[0], matrix, len(stepped)] = codes


@njit(error_model="numpy")
def settle(step, populations, series_rows, table, updates, spikes, cells, stop):
    """Close a step: count neurons and their events, and go on to the next row of the series."""
    for k in range(populations):
        count = carray(pointer(table[k, 0]), table[k, 1] + 1, np.int64)[step & table[k, 1]]
        spikes[k] += count
        updates[k] += table[k, 2]
    cells[0] = min(cells[0] + 1, series_rows - 1)  # whoever takes no series loses its last steps, not memory
    cells[2] += 1
    if cells[3] and cells[0] + 2 >= series_rows:
        stop[0] = min(stop[0], step + 1)

"""What crossbar arrays make of events, and what that costs, written down plainly: loops over cells, no tricks."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from neuromorph.mapping.crossbar.program import CrossbarProgram


def digits_of(code: float, phases: int, bits: int) -> list[int]:
    """Digits of a whole code's magnitude, lowest first."""
    return [int(abs(code)) >> (p * bits) & ((1 << bits) - 1) for p in range(phases)]


def codes_of(program: CrossbarProgram, matrix: int, fired: dict[int, dict[int, float]]) -> dict[int, int]:
    """Row and code of each event of a step; ``fired`` holds the values by neuron of each population."""
    setting, about = program.deployed.settings[matrix], program.plan.matrices[matrix]
    codes = {}
    for k, source in enumerate(about.sources):
        for neuron, value in fired.get(source, {}).items():
            code = int(np.clip(np.rint(value / setting.input_scale), -setting.most, setting.most))
            codes[int(about.source_first[k]) + neuron] = code if setting.graded else 1
    return {line: code for line, code in codes.items() if code}


def read(program: CrossbarProgram, matrix: int, codes: dict[int, int]) -> tuple[np.ndarray, Counter[str]]:
    """Sums of the columns of a matrix in the unit of its port, and the counts of a tile-skipping read."""
    plan, chip, setting = program.plan, program.chip, program.deployed.settings[matrix]
    machine, coding, about = plan.machine, chip.coding, plan.matrices[matrix]
    each, counts = coding.cells_per_weight, Counter[str]()
    total = np.zeros(about.columns)
    groups: dict[tuple[int, ...], list[Any]] = {}
    for b in plan.blocks_of(matrix):
        groups.setdefault(tuple(plan.blocks[b].rows), []).append(plan.blocks[b])
    phases = {}
    for rows, blocks in groups.items():
        active = {i: codes[row] for i, row in enumerate(rows) if row in codes}
        if not active:
            continue
        signs = (1, -1) if setting.split else (0,)
        pulses: dict[tuple[int, int], dict[int, int]] = {}
        for i, code in active.items():
            for p, digit in enumerate(digits_of(code, setting.phases, setting.dac_bits)):
                sign = int(np.sign(code)) if setting.split else 0
                if digit:
                    pulses.setdefault((sign, p), {})[i] = digit if setting.split or code > 0 else -digit
        for block in blocks:
            counts["rows"] += len(active)
            for sign in signs:
                for p in range(setting.phases):
                    driven = pulses.get((sign, p))
                    if not driven:
                        continue
                    phases[sign, p] = True
                    counts["reads"] += 1
                    counts["row_pulses"] += len(driven)
                    for j, column in enumerate(block.columns):
                        told, factor = 0.0, float(chip.compensation[block.array])
                        for slice_ in range(machine.slices):
                            raw = []
                            for cell in range(slice_ * each // machine.slices, (slice_ + 1) * each // machine.slices):
                                place = block.column_first + j * each + cell
                                held = chip.held[block.array][block.row_first :, place]
                                raw.append(sum(float(held[i]) * digit for i, digit in driven.items()))
                            if len(raw) == 2 and machine.subtract == "analog":
                                raw = [raw[0] - raw[1]]
                            kept = []
                            first = block.column_first + j * each + slice_ * each // machine.slices
                            for n, value in enumerate(raw):
                                counts["conversions"] += 1
                                if setting.top:
                                    lo, step = setting.lo[block.index, slice_], setting.step[block.index, slice_]
                                    value *= float(chip.adc_gain[block.array, first + n])
                                    value += float(chip.adc_offset[block.array, first + n]) * step
                                    code = np.rint((value - lo) / step)
                                    counts["saturated"] += bool(code < 0 or code > setting.top)
                                    value = lo + float(np.clip(code, 0, setting.top)) * step
                                kept.append(value)
                            worth = float(coding.combine[slice_ * each // machine.slices])
                            told += worth * (kept[0] - (kept[1] if len(kept) == 2 else 0.0))
                        total[column] += (sign or 1) * 2.0 ** (p * setting.dac_bits) * told * factor
            for column in block.columns:
                total[column] -= coding.offset * sum(active.values())
    counts["phases"] = len(phases)
    return total * setting.worth, counts

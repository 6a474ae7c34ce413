"""Partitions and placements that the user gives, checked before anything rests on them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import MappingError
from neuromorph.lowering.program import LoweredNetwork

from ..machine import Machine
from .layout import Layout, offsets


def given_partition(part: npt.NDArray[Any], lowered: LoweredNetwork, layout: Layout) -> npt.NDArray[np.int32]:
    """The part of every neuron, parts numbered 0, 1, ... in ascending order, int32 (n,).

    Raises
    ------
    MappingError
        If it is not one part for each neuron, or a part has more neurons than a PE holds.
    """
    first = offsets(lowered)
    if part.shape != (first[-1],):
        raise MappingError(
            f"partition: expected a part for each of {first[-1]} neurons, got an array of shape {part.shape}"
        )
    if part.dtype.kind not in "iu":
        raise MappingError(f"partition: parts are whole numbers, got {part.dtype}")
    if (part < 0).any():
        worst = int(np.argmax(part < 0))
        k = int(np.searchsorted(first, worst, "right")) - 1
        raise MappingError(
            f"partition: parts are whole numbers from 0, but neuron {worst - int(first[k])} of population "
            f"{lowered.populations[k].name} has {part[worst]}"
        )
    number = np.unique(part, return_inverse=True)[1].astype(np.int32)
    counts = np.bincount(number) if len(number) else np.zeros(0, np.int64)
    if len(counts) and counts.max() > layout.neurons_per_pe:
        raise MappingError(
            f"partition: part {int(counts.argmax())} has {int(counts.max())} neurons, a PE holds at most "
            f"{layout.neurons_per_pe}; neurons_per_pe={int(counts.max())} makes room for more",
            neurons=int(counts.max()),
            limit=layout.neurons_per_pe,
        )
    return number


def given_placement(placement: npt.NDArray[Any], parts: int, machine: Machine) -> npt.NDArray[np.int32]:
    """The global PE index of every part, int32 (parts,).

    Raises
    ------
    MappingError
        If it is not a different usable PE for each part.
    """
    if placement.shape != (parts,):
        raise MappingError(
            f"placement: expected a PE for each of {parts} parts, got an array of shape {placement.shape}"
        )
    if placement.dtype.kind not in "iu":
        raise MappingError(f"placement: PEs are whole numbers, got {placement.dtype}")
    unknown = ~np.isin(placement, machine.usable_pes)
    if unknown.any():
        part = int(unknown.argmax())
        pe = int(placement[part])
        if 0 <= pe < machine.pes:
            chip, local = divmod(pe, machine.pes_per_chip)
            raise MappingError(
                f"placement: part {part} is on PE {local} of chip {chip}, which the system software keeps"
            )
        have = f"the {machine.chips} chip{'s have' if machine.chips > 1 else ' has'} PEs 0 to {machine.pes - 1}"
        raise MappingError(f"placement: part {part} is on PE {pe}; {have}")
    order = np.argsort(placement, kind="stable")
    twice = np.flatnonzero(np.diff(placement[order]) == 0)
    if len(twice):
        a, b = order[twice[0]], order[twice[0] + 1]
        raise MappingError(f"placement: parts {a} and {b} are both on PE {placement[a]}")
    return placement.astype(np.int32)

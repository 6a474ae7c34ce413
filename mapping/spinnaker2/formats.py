"""Choice of the row formats: the cheapest in computed bytes for each projection and source population."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from neuromorph.lowering.program import LoweredNetwork
from neuromorph.network.synapses import Synapses

from ..graph import Block, kernel_blocks
from ..machine import Machine
from .layout import (
    BIT_ADDRESS,
    BYTE,
    BYTE_ADDRESS,
    LONGER,
    Layout,
    ProjectionLayout,
    RowMode,
    SourceLayout,
    fixed_bytes,
    population_layout,
)
from .narrow import field_bits, long_codes
from .options import WORD, LayoutOptions
from .plastic.footprints import Footprint
from .plastic.layout import source_bytes

PACKED_GAIN = 0.95  # packed rows cost a scan for each packet, so they must save at least 5 % of the PEs
CAPS = (64, 128, 256, 512, 1024)


def plan(lowered: LoweredNetwork, machine: Machine, options: LayoutOptions) -> Layout:
    """Choose formats, and the most neurons a PE may hold, so that the estimated number of PEs is smallest.

    Returns
    -------
    Layout
    """
    caps = CAPS if options.neurons_per_pe is None else (options.neurons_per_pe,)
    stats = [_Fan.of(synapses) for synapses in lowered.projections]
    blocks = [_kernel(synapses) for synapses in lowered.projections]
    longer = [long_codes(synapses) for synapses in lowered.projections]
    best: tuple[float, Layout] | None = None
    for cap in caps:
        modes: list[RowMode] = ["packed" if options.rows == "packed" else "indexed" for _ in lowered.populations]
        layout = _with_modes(lowered, machine, options, cap, modes, blocks, longer)
        pes = estimate_pes(lowered, layout, stats)
        if options.rows == "auto":
            for k in sorted({synapses.pre for synapses in lowered.projections}):
                trial_modes = [*modes]
                trial_modes[k] = "packed"
                trial = _with_modes(lowered, machine, options, cap, trial_modes, blocks, longer)
                trial_pes = estimate_pes(lowered, trial, stats)
                if trial_pes < PACKED_GAIN * pes:
                    modes, layout, pes = trial_modes, trial, trial_pes
        if best is None or pes < 0.999 * best[0]:
            best = (pes, layout)
    assert best is not None
    return best[1]


class _Fan:
    """Fan-in of a projection, as the estimate needs it."""

    def __init__(self, synapses: Synapses, sources: int) -> None:
        self.count, self.sources = synapses.count, sources

    @classmethod
    def of(cls, synapses: Synapses) -> _Fan:
        if synapses.row_ptr is None:
            return cls(synapses, synapses.n_pre)
        return cls(synapses, int(np.count_nonzero(np.diff(synapses.row_ptr))))


def weight_bits(synapses: Synapses) -> int:
    """Bits of a weight: the narrowest integer that holds every weight exactly, or the float's width.

    Where synapses change, of all that each keeps.
    """
    weights = synapses.weights
    if isinstance(synapses, Footprint):
        return BYTE * synapses.fields
    if weights.ndim == 0:
        return 0
    if weights.dtype.kind == "f":
        return BYTE * int(weights.dtype.itemsize)
    for kind in (np.int8, np.int16):
        bounds = np.iinfo(kind)
        if not weights.size or (bounds.min <= weights.min() and weights.max() <= bounds.max):
            return BYTE * int(np.dtype(kind).itemsize)
    return BYTE * WORD


def _kernel(synapses: Synapses) -> Block | None:
    """Blocks of the shared weights of a convolution; int4 weights have half a byte each, SPARK's numbers two bytes."""
    counts = kernel_blocks(synapses, 1)
    if counts is None:
        return None
    return replace(counts, bytes=-(-counts.bytes * _kernel_bits(synapses) // BYTE))


def _kernel_bits(synapses: Synapses) -> int:
    return field_bits("int4") if synapses.stored == "int4" else weight_bits(synapses)


def _bits(values: int) -> int:
    return max(0, int(values - 1).bit_length())


def key_bits(neurons: int) -> int:
    """Bits that tell the neurons of a full PE apart."""
    return max(1, _bits(neurons))


def entry_bytes_for(mode: RowMode, bits: int, bit_rows: bool) -> int:
    """Bytes of a source's entry: a packed header holds the key's low bits, an indexed entry also the row's address."""
    if mode == "packed":
        return -(-bits // BYTE)
    return WORD if bits + (BIT_ADDRESS if bit_rows else BYTE_ADDRESS) <= BYTE * WORD else 2 * WORD


def _head_bits(projections: Sequence[Synapses], cap: int, mode: RowMode) -> int:
    """Bits of the head of the sparse synapses that leave one population, without gaps."""
    if not projections:
        return 0
    own_delay = [s for s in projections if s.delays.ndim > 0]
    pairs = np.bincount([s.post for s in projections])
    bits = _bits(cap) + _bits(max((s.max_delay for s in own_delay), default=1)) + _bits(int(pairs.max()))
    return bits + (mode == "packed")


def _bytewise(bits: int) -> int:
    """Bits of the bytes that hold so many."""
    return -(-bits // BYTE) * BYTE


def _with_modes(
    lowered: LoweredNetwork,
    machine: Machine,
    options: LayoutOptions,
    cap: int,
    modes: Sequence[RowMode],
    blocks: Sequence[Block | None],
    longer: Sequence[npt.NDArray[np.int64] | None],
) -> Layout:
    projections: list[ProjectionLayout] = [ProjectionLayout("dense", 0, 0)] * len(lowered.projections)
    sources = []
    for k, mode in enumerate(modes):
        mine = [s for s in lowered.projections if s.pre == k]
        sparse = [s for s in mine if s.row_ptr is not None]
        bit_rows = any(s.stored is not None and blocks[s.index] is None for s in mine)
        fit: Callable[[int], int] = int if bit_rows else _bytewise
        head = fit(_head_bits(sparse, cap, mode))
        kernels = 0
        for synapses in mine:
            stored = synapses.stored if bit_rows else None
            width = weight_bits(synapses) if stored is None else field_bits(stored)
            long = None if stored is None else longer[synapses.index]
            choice = ProjectionLayout("sparse", width, head + width, None, stored, long)
            if synapses.row_ptr is None:
                extra = fit(_bits(synapses.max_delay)) if synapses.delays.ndim > 0 else 0
                choice = ProjectionLayout("dense", width, width + extra, None, stored, long)
            block = blocks[synapses.index]
            if block is not None:
                tile = min(cap, synapses.n_post)
                shared = min(len(block.bytes), tile) * float(block.bytes.mean()) + tile * WORD
                if shared < tile * _fan_in_bytes(synapses, choice):
                    choice = ProjectionLayout("kernel", _kernel_bits(synapses), 0, block)
                    kernels += 1
            projections[synapses.index] = choice
        low = key_bits(cap) if options.key_bits is None else options.key_bits[k]
        entry = entry_bytes_for(mode, low, bit_rows)
        plastic = sum(source_bytes(lowered, each) for each in lowered.plastic if each.pre == k)
        sources.append(SourceLayout(mode, (entry if mine else 0) + WORD * kernels + plastic, head, bit_rows))
    return Layout(
        options=options,
        neurons_per_pe=cap,
        fixed=fixed_bytes(lowered, machine, options),
        sram=machine.pe_sram,
        populations=tuple(population_layout(lowered, k, options) for k in range(len(lowered.populations))),
        projections=tuple(projections),
        sources=tuple(sources),
    )


def _fan_in_bytes(synapses: Synapses, form: ProjectionLayout) -> float:
    """Bytes of a projection's synapses for each of its targets, on average."""
    longer = 0 if form.long_codes is None else LONGER * int(form.long_codes.sum())
    return (synapses.count * form.word_bits + longer) / BYTE / max(1, synapses.n_post)


def estimate_pes(lowered: LoweredNetwork, layout: Layout, fans: Sequence[_Fan] | None = None) -> float:
    """PEs that the network would need if every PE held neurons of one population and targets were drawn at random.

    Only the choice of formats rests on this; partitioning counts every byte.
    """
    fans = fans or [_Fan.of(synapses) for synapses in lowered.projections]
    room = layout.sram - layout.fixed_bytes
    total = 0.0
    for k, population in enumerate(lowered.populations):
        incoming = [s for s in lowered.projections if s.post == k]
        own = layout.populations[k].neuron
        per_neuron = own + sum(
            WORD if layout.projections[s.index].kind == "kernel" else _fan_in_bytes(s, layout.projections[s.index])
            for s in incoming
        )
        kernel = sum(_kernel_bytes(layout.projections[s.index]) for s in incoming)

        def need(tile: float, incoming: list[Synapses] = incoming, per: float = per_neuron, k: int = k) -> float:
            rows = 0.0
            for s in incoming:
                seen = fans[s.index].sources
                each = fans[s.index].count / max(1, s.n_post) / max(1, seen)
                distinct = seen * (1.0 - np.exp(tile * np.log1p(-min(each, 1 - 1e-12))))
                rows += layout.sources[s.pre].entry_bytes * distinct
            return layout.populations[k].shared + per * tile + rows

        low, high = 0.0, float(min(layout.neurons_per_pe, max(population.size, 1)))
        if need(high) + kernel * high > room:
            for _ in range(40):
                middle = (low + high) / 2
                low, high = (middle, high) if need(middle) + kernel * middle <= room else (low, middle)
            high = low
        total += population.size / max(high, 1e-3)
    return total


def _kernel_bytes(projection: ProjectionLayout) -> float:
    """Kernel bytes that one more neuron brings, taken as a tenth of a block: neighbours share blocks."""
    return 0.1 * float(projection.kernel.bytes.mean()) if projection.kernel is not None else 0.0

"""Choice of the row formats: the cheapest in computed bytes for each projection and source population."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neuromorph.lowering.program import LoweredNetwork
from neuromorph.network.synapses import Synapses

from ..graph import Block, kernel_blocks
from ..machine import Machine
from .layout import (
    Layout,
    ProjectionLayout,
    RowMode,
    SourceLayout,
    fixed_bytes,
    population_layout,
)
from .options import WORD, LayoutOptions
from .plastic.footprints import Footprint
from .plastic.layout import source_bytes

OFFSET_BITS = 17  # a byte address inside 128 kB
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
    blocks = [kernel_blocks(synapses, weight_bytes(synapses)) for synapses in lowered.projections]
    best: tuple[float, Layout] | None = None
    for cap in caps:
        modes: list[RowMode] = ["packed" if options.rows == "packed" else "indexed" for _ in lowered.populations]
        layout = _with_modes(lowered, machine, options, cap, modes, blocks)
        pes = estimate_pes(lowered, layout, stats)
        if options.rows == "auto":
            for k in sorted({synapses.pre for synapses in lowered.projections}):
                trial_modes = [*modes]
                trial_modes[k] = "packed"
                trial = _with_modes(lowered, machine, options, cap, trial_modes, blocks)
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


def weight_bytes(synapses: Synapses) -> int:
    """Bytes of a weight field: the narrowest integer that holds every weight exactly, or the float's width.

    Where synapses change, of all that each keeps.
    """
    weights = synapses.weights
    if isinstance(synapses, Footprint):
        return synapses.fields
    if weights.ndim == 0:
        return 0
    if weights.dtype.kind == "f":
        return int(weights.dtype.itemsize)
    for kind in (np.int8, np.int16):
        bounds = np.iinfo(kind)
        if not weights.size or (bounds.min <= weights.min() and weights.max() <= bounds.max):
            return int(np.dtype(kind).itemsize)
    return WORD


def _bits(values: int) -> int:
    return max(0, int(values - 1).bit_length())


def key_bits(neurons: int) -> int:
    """Bits that tell the neurons of a full PE apart."""
    return max(1, _bits(neurons))


def entry_bytes_for(mode: RowMode, bits: int) -> int:
    """Bytes of a source's entry: a packed header holds the key's low bits, an indexed entry also the row's offset."""
    if mode == "packed":
        return -(-bits // 8)
    return WORD if bits + OFFSET_BITS <= 32 else 2 * WORD


def _head_bytes(projections: Sequence[Synapses], cap: int, mode: RowMode) -> int:
    """Bytes of the head of the sparse synapses that leave one population."""
    if not projections:
        return 0
    own_delay = [s for s in projections if s.delays.ndim > 0]
    pairs = np.bincount([s.post for s in projections])
    bits = _bits(cap) + _bits(max((s.max_delay for s in own_delay), default=1)) + _bits(int(pairs.max()))
    return -(-(bits + (mode == "packed")) // 8)


def _with_modes(
    lowered: LoweredNetwork,
    machine: Machine,
    options: LayoutOptions,
    cap: int,
    modes: Sequence[RowMode],
    blocks: Sequence[Block | None],
) -> Layout:
    projections: list[ProjectionLayout] = [ProjectionLayout("dense", 0, 0)] * len(lowered.projections)
    sources = []
    for k, mode in enumerate(modes):
        mine = [s for s in lowered.projections if s.pre == k]
        sparse = [s for s in mine if s.row_ptr is not None]
        head = _head_bytes(sparse, cap, mode)
        kernels = 0
        for synapses in mine:
            width = weight_bytes(synapses)
            choice = ProjectionLayout("sparse", width, head + width)
            if synapses.row_ptr is None:
                extra = -(-_bits(synapses.max_delay) // 8) if synapses.delays.ndim > 0 else 0
                choice = ProjectionLayout("dense", width, width + extra)
            block = blocks[synapses.index]
            if block is not None:
                fan_in = synapses.count / max(1, synapses.n_post)
                tile = min(cap, synapses.n_post)
                stored = min(len(block.bytes), tile) * float(block.bytes.mean()) + tile * WORD
                if stored < tile * fan_in * choice.word_bytes:
                    choice = ProjectionLayout("kernel", width, 0, block)
                    kernels += 1
            projections[synapses.index] = choice
        low = key_bits(cap) if options.key_bits is None else options.key_bits[k]
        entry = entry_bytes_for(mode, low)
        plastic = sum(source_bytes(lowered, each) for each in lowered.plastic if each.pre == k)
        sources.append(SourceLayout(mode, (entry if mine else 0) + WORD * kernels + plastic, head))
    return Layout(
        options=options,
        neurons_per_pe=cap,
        fixed=fixed_bytes(lowered, machine, options),
        sram=machine.pe_sram,
        populations=tuple(population_layout(lowered, k, options) for k in range(len(lowered.populations))),
        projections=tuple(projections),
        sources=tuple(sources),
    )


def estimate_pes(lowered: LoweredNetwork, layout: Layout, fans: Sequence[_Fan] | None = None) -> float:
    """PEs that the network would need if every PE held neurons of one population and targets were drawn at random.

    Only the choice of formats rests on this; partitioning counts every byte.
    """
    fans = fans or [_Fan.of(synapses) for synapses in lowered.projections]
    room = layout.limits.bytes
    total = 0.0
    for k, population in enumerate(lowered.populations):
        incoming = [s for s in lowered.projections if s.post == k]
        own = layout.populations[k].neuron
        per_neuron = own + sum(
            WORD if layout.projections[s.index].kind == "kernel" else
            layout.projections[s.index].word_bytes * s.count / max(1, s.n_post)
            for s in incoming
        )  # fmt: skip
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

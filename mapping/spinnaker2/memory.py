"""The network as a hypergraph with the exact bytes of a PE's memory, and bytes by region of any partition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from neuromorph.errors import MappingError
from neuromorph.lowering.program import LoweredNetwork
from neuromorph.network.synapses import Synapses

from ..graph import Block, CostModel
from ..graph import hypergraph as build
from ..hypergraph import Hypergraph
from .layout import BYTE, LONGER, REGIONS, Layout, offsets
from .options import WORD

Rates = Mapping[str, float | npt.NDArray[np.float64]]


def hypergraph(
    lowered: LoweredNetwork,
    layout: Layout,
    rates: Rates | None = None,
    positions: Sequence[npt.NDArray[np.float64] | None] | None = None,
) -> Hypergraph:
    """One vertex for each neuron, one net for each neuron, bytes as the layout says, in units of its grain.

    Parameters
    ----------
    rates : mapping of population name to events a step (scalar or by neuron), optional
        Weights of the nets; default 1 everywhere.
    positions : arrays (size, up to 3) or None, by population, optional
        For orders along space-filling curves.
    """
    grain = layout.grain
    neuron: list[int | npt.NDArray[np.int64]] = [population.neuron * grain for population in layout.populations]
    blocks = [
        Block(k, np.zeros(population.size, np.int32), np.array([form.shared * grain], np.int64))
        for k, (population, form) in enumerate(zip(lowered.populations, layout.populations, strict=True))
    ]
    for synapses in lowered.projections:
        form_p = layout.projections[synapses.index]
        if form_p.kernel is not None:
            neuron[synapses.post] = neuron[synapses.post] + WORD * grain
            blocks.append(replace(form_p.kernel, bytes=form_p.kernel.bytes * grain))
        if form_p.long_codes is not None:  # in bit rows, where the grain is a bit
            neuron[synapses.post] = neuron[synapses.post] + LONGER * form_p.long_codes
    costs = CostModel(
        neuron=tuple(neuron),
        synapse=tuple(projection.word_bits * grain // BYTE for projection in layout.projections),
        blocks=tuple(blocks),
    )
    sizes = [population.size for population in lowered.populations]
    graph = build(lowered.projections, sizes, costs, neuron_rates(lowered, rates), positions)
    return replace(graph, net_bytes=entry_bytes(lowered, layout)[graph.net_source] * grain)


def entry_bytes(lowered: LoweredNetwork, layout: Layout) -> npt.NDArray[np.int64]:
    """Bytes of each neuron's look-up entry on every PE that hears it, int64 (n,)."""
    sizes = [population.size for population in lowered.populations]
    return np.repeat([source.entry_bytes for source in layout.sources], sizes).astype(np.int64)


def neuron_rates(lowered: LoweredNetwork, rates: Rates | None) -> list[npt.NDArray[np.float64]]:
    """Expected events a step of every neuron, by population.

    Raises
    ------
    MappingError
        For a population that does not exist, a wrong number of rates, or rates below 0.
    """
    rates = rates or {}
    unknown = set(rates) - {population.name for population in lowered.populations}
    if unknown:
        names = ", ".join(population.name for population in lowered.populations)
        raise MappingError(f"rates of {', '.join(sorted(unknown))}: no such population; there are {names}")
    out = []
    for population in lowered.populations:
        given = np.asarray(rates.get(population.name, 1.0))
        if given.dtype.kind not in "fiu" or not (given >= 0).all():
            raise MappingError(f"rates of {population.name}: expected numbers of at least 0 (events a step)")
        if given.shape not in ((), (population.size,)):
            raise MappingError(
                f"rates of {population.name}: expected a number or {population.size} numbers, got shape {given.shape}"
            )
        out.append(np.broadcast_to(given.astype(np.float64), (population.size,)))
    return out


def synapse_bits(synapses: Synapses, layout: Layout) -> npt.NDArray[np.int64]:
    """Bits of the incoming synapses of each target neuron, int64 (n_post,)."""
    form = layout.projections[synapses.index]
    if form.kind == "kernel":
        return np.full(synapses.n_post, BYTE * WORD, np.int64)
    longer = 0 if form.long_codes is None else LONGER * form.long_codes
    if synapses.targets is None:
        return np.full(synapses.n_post, synapses.n_pre * form.word_bits, np.int64) + longer
    return np.bincount(synapses.targets, minlength=synapses.n_post).astype(np.int64) * form.word_bits + longer


def region_bytes(
    lowered: LoweredNetwork,
    layout: Layout,
    part: npt.NDArray[np.int32],
    parts: int,
    dest_parts: npt.NDArray[np.int32],
    dest_sources: npt.NDArray[np.int32],
) -> npt.NDArray[np.int64]:
    """Bytes of every region of every part, int64 (parts, regions), in the order of :data:`.layout.REGIONS`.

    Parameters
    ----------
    part : int32 (n,)
    dest_parts, dest_sources : int32
        Each part that listens to a source, and that source's vertex (one pair for each packet copy).
    """
    first = offsets(lowered)
    table = np.zeros((parts, len(REGIONS)), np.int64)
    column = {name: k for k, name in enumerate(REGIONS)}
    for name, size in layout.fixed.items():
        table[:, column[name]] += size
    for k, form in enumerate(layout.populations):
        held = np.bincount(part[first[k] : first[k + 1]], minlength=parts)
        table[:, column["descriptors"]] += (held > 0) * form.shared
        for name in ("state", "keys", "ring", "recording"):
            table[:, column[name]] += held * getattr(form, name)
    bits = np.zeros(parts, np.int64)
    for synapses in lowered.projections:
        owner = part[first[synapses.post] : first[synapses.post + 1]]
        bits += np.bincount(owner, weights=synapse_bits(synapses, layout), minlength=parts).astype(np.int64)
        kernel = layout.projections[synapses.index].kernel
        if kernel is not None:
            used = kernel.group >= 0
            pairs = np.unique(owner[used].astype(np.int64) * len(kernel.bytes) + kernel.group[used])
            table[:, column["kernels"]] += np.bincount(
                pairs // len(kernel.bytes), weights=kernel.bytes[pairs % len(kernel.bytes)], minlength=parts
            ).astype(np.int64)
    table[:, column["synapses"]] += -(-bits // BYTE)
    table[:, column["rows"]] += np.bincount(
        dest_parts, weights=entry_bytes(lowered, layout)[dest_sources], minlength=parts
    ).astype(np.int64)
    return table

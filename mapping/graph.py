"""From built projections and a cost model to the hypergraph that partitioners work on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from neuromorph.errors import MappingError
from neuromorph.network.synapses import Synapses

from .hypergraph import Hypergraph

if TYPE_CHECKING:
    from neuromorph.network import Population

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Block:
    """Memory that a part holds once if it holds any neuron that uses it (code, a shared kernel).

    Attributes
    ----------
    population : int
    group : int32 (size,)
        Which of the blocks each neuron of the population uses; -1 for none.
    bytes : int64 (blocks,)
    """

    population: int
    group: Int32
    bytes: Int64


@dataclass(frozen=True)
class CostModel:
    """Bytes by cause; every field is additive, so a part's bytes are exact.

    Attributes
    ----------
    neuron : tuple, one int or int array (size,) for each population
        State, parameters, recording and whatever else each neuron costs.
    synapse : tuple of int, one for each projection
        Bytes of a stored synapse at its target's part; 0 where weights are shared and nothing is stored for each.
    source : int
        Once in a part for each distinct source neuron of its synapses (look-up entry).
    row : tuple of int, one for each projection
        Once in a part for each (source, projection) that has a synapse there (row header).
    blocks : tuple of Block
    """

    neuron: tuple[int | Int64, ...]
    synapse: tuple[int, ...]
    source: int = 0
    row: tuple[int, ...] = ()
    blocks: tuple[Block, ...] = field(default=())


def hypergraph(
    projections: Sequence[Synapses],
    sizes: Sequence[int],
    costs: CostModel,
    rates: Sequence[float | npt.NDArray[np.float64]] | None = None,
    positions: Sequence[npt.NDArray[np.float64] | None] | None = None,
) -> Hypergraph:
    """One net for each neuron, with the union of its targets; further nets for row headers where they are needed.

    Parameters
    ----------
    projections : sequence of Synapses
    sizes : sequence of int
        Neurons in each population.
    costs : CostModel
    rates : sequence, optional
        Events a second of each population: one number or an array (size,); 1 by default.
    positions : sequence, optional
        Coordinates (size, up to 3) of each population, or None; those without get NaN.

    Raises
    ------
    MappingError
        If the cost model does not match the network.
    """
    from ._graph import count_targets

    if len(costs.neuron) != len(sizes) or len(costs.synapse) != len(projections):
        raise MappingError(
            f"cost model: expected {len(sizes)} populations and {len(projections)} projections, "
            f"got {len(costs.neuron)} and {len(costs.synapse)}"
        )
    row = costs.row or (0,) * len(projections)
    first = np.concatenate(([0], np.cumsum(np.asarray(sizes, np.int64))))
    n = int(first[-1])
    vertex_bytes = np.zeros(n, np.int64)
    weight = np.ones(n)
    for p, size in enumerate(sizes):
        vertex_bytes[first[p] : first[p] + size] = costs.neuron[p]
        if rates is not None:
            weight[first[p] : first[p] + size] = rates[p]
    for synapses, each in zip(projections, costs.synapse, strict=True):
        inside = vertex_bytes[first[synapses.post] : first[synapses.post + 1]]
        if synapses.targets is None:
            inside += synapses.n_pre * each
        elif each:
            count_targets(synapses.targets, each, inside)

    parts = [_net_arrays(projections, range(len(sizes)), first)]
    net_bytes = [np.full(n, costs.source, np.int64)]
    net_source = [np.arange(n, dtype=np.int32)]
    net_weight = [weight]
    for p in range(len(sizes)):
        out = [i for i, synapses in enumerate(projections) if synapses.pre == p and row[i]]
        if len(out) == 1 and sum(synapses.pre == p for synapses in projections) == 1:
            net_bytes[0][first[p] : first[p + 1]] += row[out[0]]
            continue
        for i in out:
            parts.append(_net_arrays([projections[i]], [p], first))
            net_bytes.append(np.full(sizes[p], row[i], np.int64))
            net_source.append(np.arange(first[p], first[p + 1], dtype=np.int32))
            net_weight.append(np.zeros(sizes[p]))
    ptr, pins = parts[0]
    for more_ptr, more_pins in parts[1:]:
        ptr = np.concatenate((ptr, more_ptr[1:] + ptr[-1]))
        pins = np.concatenate((pins, more_pins))
    group_ptr, vertex_groups, group_bytes = _groups(costs.blocks, first, n)
    return Hypergraph(
        vertex_bytes=vertex_bytes,
        net_ptr=ptr,
        net_pins=pins,
        net_source=np.concatenate(net_source),
        net_weight=np.concatenate(net_weight),
        net_bytes=np.concatenate(net_bytes),
        group_ptr=group_ptr,
        vertex_groups=vertex_groups,
        group_bytes=group_bytes,
        layer=np.repeat(np.arange(len(sizes), dtype=np.int32), sizes),
        position=_positions(positions, sizes, first),
    )


def kernel_blocks(synapses: Synapses, bytes_per_weight: int) -> Block | None:
    """The shared weights of a convolution or pooling as blocks: each target's part holds its whole block once.

    A block is the smallest set of weights that no target straddles: the kernel of one output channel. None if the
    projection does not share weights by index.
    """
    if synapses.weight_index is None or synapses.targets is None:
        return None
    from ._graph import weight_blocks

    weights = len(synapses.weights)
    group, block, blocks = weight_blocks(synapses.targets, synapses.weight_index, synapses.n_post, weights)
    size = np.bincount(block, minlength=blocks).astype(np.int64) * bytes_per_weight
    return Block(synapses.post, group, size)


def population_positions(population: Population) -> npt.NDArray[np.float64] | None:
    """Coordinates for space-filling orders: as given, else the cell centres of a 2-D or 3-D shape in the unit square.

    The last two dimensions of a shape count, so that feature maps lie on one another; None if there is neither.
    """
    if population.coordinates is not None:
        return population.coordinates
    if len(population.shape) < 2:
        return None
    height, width = population.shape[-2:]
    row, column = np.unravel_index(np.arange(population.size), population.shape)[-2:]
    return np.stack(((column + 0.5) / width, (row + 0.5) / height), axis=1)


def _net_arrays(projections: Sequence[Synapses], populations: Sequence[int], first: Int64) -> tuple[Int64, Int32]:
    """CSR of the distinct global targets of every neuron of these populations (consecutive), over all projections."""
    from ._graph import append_dense, append_rows, unique_rows

    start = int(first[populations[0]]) if populations else 0
    end = int(first[populations[-1] + 1]) if populations else 0
    lengths = np.zeros(end - start, np.int64)
    inside = [synapses for synapses in projections if synapses.pre in populations]
    for synapses in inside:
        low = int(first[synapses.pre]) - start
        own = lengths[low : low + synapses.n_pre]
        own += synapses.n_post if synapses.row_ptr is None else np.diff(synapses.row_ptr)
    ptr = np.zeros(end - start + 1, np.int64)
    np.cumsum(lengths, out=ptr[1:])
    pins = np.empty(int(ptr[-1]), np.int32)
    cursor = ptr[:-1].copy()
    for synapses in inside:
        low = int(first[synapses.pre]) - start
        at = cursor[low : low + synapses.n_pre]
        shift = int(first[synapses.post])
        if synapses.row_ptr is None:
            append_dense(synapses.n_post, shift, at, pins)
        else:
            append_rows(synapses.row_ptr, synapses.targets, shift, at, pins)
    new_ptr, used = unique_rows(ptr, pins)
    return new_ptr, pins if used == len(pins) else pins[:used].copy()


def _groups(blocks: Sequence[Block], first: Int64, n: int) -> tuple[Int64, Int32, Int64]:
    owner, group, size = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    made = 0
    for block in blocks:
        users = np.flatnonzero(block.group >= 0)
        owner.append(users + first[block.population])
        group.append(block.group[users].astype(np.int64) + made)
        size.append(np.asarray(block.bytes, np.int64))
        made += len(block.bytes)
    owners = np.concatenate(owner)
    order = np.argsort(owners, kind="stable")
    ptr = np.zeros(n + 1, np.int64)
    np.cumsum(np.bincount(owners, minlength=n), out=ptr[1:])
    return ptr, np.concatenate(group)[order].astype(np.int32), np.concatenate(size)


def _positions(
    positions: Sequence[npt.NDArray[np.float64] | None] | None, sizes: Sequence[int], first: Int64
) -> npt.NDArray[np.float64] | None:
    if positions is None or all(p is None for p in positions):
        return None
    out = np.full((int(first[-1]), 3), np.nan)
    for p, given in enumerate(positions):
        if given is not None:
            at = np.asarray(given, float).reshape(sizes[p], -1)
            out[first[p] : first[p + 1]] = 0.0
            out[first[p] : first[p + 1], : at.shape[1]] = at[:, :3]
    return out

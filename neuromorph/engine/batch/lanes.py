"""A network widened to lanes: each neuron once for each of several samples, side by side in vectors.

A widened population is one of ``size * lanes`` elements, element = neuron * lanes + lane, and runs through the same
step program and the same driver as any other. Only random words are keyed by the neuron alone, so every sample has the
noise of a run of its own; and events reach the lanes through delivery kernels that read a weight once
(:mod:`.delivery`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.engine.compile import compile_step
from neuromorph.engine.delivery import Stored
from neuromorph.engine.instance import Instance
from neuromorph.engine.items import make_item
from neuromorph.engine.memory import Array, address, aligned
from neuromorph.engine.replay import woven
from neuromorph.engine.schedule import Compiled, Tables, base_tables
from neuromorph.language.expr import Type
from neuromorph.lowering.program import LoweredPopulation
from neuromorph.native import Kernel, compile_kernel
from neuromorph.network.synapses import Synapses
from neuromorph.progress import Progress

from .delivery import LANE_DELIVERY, WEAVE, LaneKind, is_matrix, lane_kind, print_rows, print_weave
from .matrix import print_matrix, tiled


@dataclass(frozen=True)
class Port:
    """Where the sums of a port are added up.

    Attributes
    ----------
    apart : bool
        Lane by lane, because a dense projection ends here.
    sums : str
        Type of the sums; int32 where ints cannot exceed it.
    ring : str
        Type that the population reads.
    """

    apart: bool
    sums: str
    ring: str


@dataclass(frozen=True)
class Widened:
    """A compiled network, widened.

    Attributes
    ----------
    compiled : Compiled
        Populations of ``size * lanes`` elements; projections as they were, without kernels.
    lanes : int
    ports : dict of (population, port) to Port
    kinds, kernels, weights : of each projection
        Weights of matrices are in tiles.
    """

    compiled: Compiled
    lanes: int
    ports: dict[tuple[int, int], Port]
    kinds: tuple[LaneKind, ...]
    kernels: tuple[Kernel, ...]
    weights: tuple[Array, ...]

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Neurons of each population."""
        return tuple(population.size // self.lanes for population in self.compiled.populations)


def widen(compiled: Compiled, lanes: int, progress: Progress) -> Widened:
    """Widen a compiled network to so many lanes, a power of two from 8 to 64."""
    populations = tuple(_widened(population, lanes) for population in compiled.populations)
    made = [compile_step(population, progress, lanes) for population in populations]
    wide = replace(
        compiled,
        populations=populations,
        layouts=tuple(layout for layout, _ in made),
        steps=tuple(kernel for _, kernel in made),
        projections=tuple(_plain(each) for each in compiled.projections),
        deliveries=(),
    )
    ports = _ports(wide)
    kinds = []
    for synapses in wide.expanded:
        port = ports[synapses.post, synapses.port]
        value = compiled.dtype if compiled.graded(synapses.pre) else ""
        kinds.append(lane_kind(synapses, lanes, value, port.sums, port.apart))
    sources = (print_matrix(kind) if kind.matrix else print_rows(kind) for kind in kinds)
    kernels = tuple(
        compile_kernel(source, f"delivery: {kind}", progress) for kind, source in zip(kinds, sources, strict=True)
    )
    weights = tuple(
        tiled(kind, synapses) if kind.matrix else synapses.weights
        for kind, synapses in zip(kinds, wide.expanded, strict=True)
    )
    return Widened(wide, lanes, ports, tuple(kinds), kernels, weights)


def _plain(stored: Stored | Synapses) -> Synapses:
    """A projection as rows whose arrays kernels can read by address; ints in the narrowest type that holds them."""
    synapses = stored.expanded()
    names = ("row_ptr", "targets", "weights", "weight_index", "delays")
    arrays: dict[str, Any] = {name: getattr(synapses, name) for name in names}
    if synapses.weights.dtype.kind == "i" and synapses.weights.size:
        ends = int(synapses.weights.min()), int(synapses.weights.max())
        fits = (kind for kind in ("int8", "int16") if all(np.can_cast(np.min_scalar_type(end), kind) for end in ends))
        arrays["weights"] = synapses.weights.astype(next(fits, synapses.weights.dtype))
    ordered: dict[str, Any] = {k: None if a is None else np.asarray(a, order="C") for k, a in arrays.items()}
    return replace(synapses, **ordered)


def _widened(population: LoweredPopulation, lanes: int) -> LoweredPopulation:
    def repeated(values: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        return np.repeat(values, lanes) if values.ndim else values

    return replace(
        population,
        size=population.size * lanes,
        state_init=tuple(repeated(values) for values in population.state_init),
        param_values=tuple(repeated(values) for values in population.param_values),
        replay=None if population.replay is None else woven([population.replay] * lanes),
        record_states=(),
    )


def _ports(compiled: Compiled) -> dict[tuple[int, int], Port]:
    """How the sums of each port that something reaches are kept."""
    ports = {}
    for synapses in compiled.expanded:
        key = synapses.post, synapses.port
        if key in ports:
            continue
        program = compiled.populations[synapses.post].program
        assert program is not None
        onto = [each for each in compiled.expanded if (each.post, each.port) == key]
        apart = any(is_matrix(each) for each in onto)
        ring = compiled.dtype if program.ports[synapses.port].type == Type.FLOAT else "int64"
        narrow = apart and ring == "int64" and _most(onto) < 2**31
        ports[key] = Port(apart, "int32" if narrow else ring, ring)
    return ports


def _most(onto: list[Synapses]) -> int:
    """The largest sum of a step: every synapse brings its weight at most once."""
    total = 0
    for synapses in onto:
        size = np.abs(synapses.weights.astype(np.int64))
        if synapses.targets is None:
            columns = size.reshape(-1, synapses.n_post).sum(axis=0) if size.ndim else size * synapses.n_pre
            total += int(columns.max())
        elif synapses.count:
            total += int(size.max()) * int(np.bincount(synapses.targets).max())
    return total


class LaneInstance(Instance):
    """A widened network with its own memory."""

    def __init__(self, widened: Widened) -> None:
        super().__init__(widened.compiled, 1, window=1)
        self.widened = widened
        self._sums = {key: self._apart_sums(key) for key, port in widened.ports.items() if port.apart}

    def _apart_sums(self, key: tuple[int, int]) -> Array:
        """Sums (slots, lanes, stride) of a port."""
        widened = self.widened
        stride = -(-widened.sizes[key[0]] // 64) * 64
        return aligned((self.memories[key[0]].slots, widened.lanes, stride), widened.ports[key].sums)

    @property
    def cleared(self) -> Sequence[Array]:
        """Sums that a new group of samples must find empty, besides those of the memories."""
        return list(self._sums.values())

    def base(self, threads: int) -> list[Tables]:
        """The work of a step: weave sums, update populations, deliver."""
        compiled, widened = self.compiled, self.widened
        tables = base_tables(replace(compiled, projections=()), self.memories, threads)
        table = tables[0]
        for key, sums in self._sums.items():
            port = widened.ports[key]
            kernel = compile_kernel(print_weave(port.sums, port.ring, widened.lanes), f"weave {port.sums}")
            table.arrivals.append((kernel.address, self._weave_item(key, sums)))
        block = [
            (widened.kernels[k].address, self._delivery_item(k, synapses, table))
            for k, synapses in enumerate(compiled.expanded)
            if synapses.count
        ]
        table.deliveries = [block]
        table.keep.append(self)
        return tables

    def _ring(self, population: int, port: int) -> tuple[Array, int, int]:
        """Ring of the population's own that holds a port, elements of its slots, and where the port begins."""
        layout, memory = self.compiled.layouts[population], self.memories[population]
        assert layout is not None
        ints = port in layout.int_ports
        ports = layout.int_ports if ints else layout.float_ports
        ring = memory.int_ring if ints else memory.float_ring
        return ring, len(ports) * memory.stride, ports.index(port) * memory.stride

    def _weave_item(self, key: tuple[int, int], sums: Array) -> npt.NDArray[np.int64]:
        ring, row, port = self._ring(*key)
        _, lanes, stride = sums.shape
        return make_item(
            WEAVE,
            apart_sums=address(sums),
            ring=address(ring),
            ring_mask=len(ring) - 1,
            apart_row=lanes * stride,
            apart_port=0,
            apart=stride,
            row=row,
            port=port,
            size=self.widened.sizes[key[0]],
        )

    def _delivery_item(self, k: int, synapses: Synapses, table: Tables) -> npt.NDArray[np.int64]:
        kind, weights = self.widened.kinds[k], self.widened.weights[k]
        pre, lanes = self.memories[synapses.pre], self.widened.lanes
        key = synapses.post, synapses.port
        sums, row, port = (self._sums[key], 0, 0) if kind.apart else self._ring(*key)
        lane_values = aligned((lanes,), self.compiled.dtype)
        table.keep.append(lane_values)
        return make_item(
            LANE_DELIVERY,
            fired=address(pre.fired),
            values=address(pre.values),
            counts=address(pre.counts),
            event_mask=pre.event_mask,
            stride=pre.stride,
            row_ptr=address(synapses.row_ptr),
            targets=address(synapses.targets),
            weights=address(weights),
            weight_index=address(synapses.weight_index),
            delays=address(synapses.delays),
            scale=int(np.float64(synapses.weight_scale or 1.0).view(np.int64)),
            n_post=synapses.n_post,
            sums=address(sums),
            ring_mask=len(sums) - 1,
            row=lanes * sums.shape[2] if kind.apart else row,
            port=port,
            apart=sums.shape[2] if kind.apart else 0,
            lane_values=address(lane_values),
            n_pre=synapses.n_pre,
        )

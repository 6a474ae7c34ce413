"""Sums at ports in the engines' order, over events that are kept for as long as delays last.

The order is that of :class:`~neuromorph.network.synapses.Synapses`: by step of sending, then projection, then source,
then place in the row. So a port's sum is a list of terms, one for each delay of each projection, longest delay first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.language.expr import Type
from neuromorph.lowering.program import LoweredNetwork
from neuromorph.native import bound
from neuromorph.network.synapses import Synapses

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Term:
    """The synapses of one projection that have one delay.

    Attributes
    ----------
    pre : int
        Population that sends.
    delay : int
        Steps.
    row_ptr, targets : int64 arrays, or None
        None: dense, every source reaches every target in order.
    weights : array of the sum's type
        (n_pre, n_post) if dense, else (synapses,).
    scale : array (1,) of the sum's type
        Multiplies an event's value before the weight does.
    """

    pre: int
    delay: int
    row_ptr: Array | None
    targets: Array | None
    weights: Array
    scale: Array

    def adder(self, row: Array, ahead: int, rows: int, fired: Array, values: Array, sums: Array) -> Callable[[], None]:
        """A call that adds this term's share; see :mod:`.sum_kernels` for the arguments."""
        where = row, ahead, rows, fired
        if self.row_ptr is None:
            return bound(_KERNELS, "add_dense", *where, values, self.weights, self.scale, sums)
        listed = self.row_ptr, self.targets, self.weights
        if sums.dtype == np.int64:
            return bound(_KERNELS, "add_spikes", *where, *listed, sums)
        return bound(_KERNELS, "add_listed", *where, values, *listed, self.scale, sums)


_KERNELS = "neuromorph.train.parity.sum_kernels"


def terms(lowered: LoweredNetwork) -> dict[tuple[int, int], tuple[Term, ...]]:
    """Terms of the sum at each port that something reaches, (population, port), in order."""
    found: dict[tuple[int, int], list[Term]] = {}
    for synapses in lowered.projections:
        program = lowered.populations[synapses.post].program
        assert program is not None  # sources have no ports
        whole = program.ports[synapses.port].type is Type.INT
        kind = np.dtype(np.int64) if whole else np.dtype(lowered.dtype)
        found.setdefault((synapses.post, synapses.port), []).extend(_split(synapses, kind))
    # Python's sort keeps the order of the projections
    return {port: tuple(sorted(several, key=lambda term: -term.delay)) for port, several in found.items()}


def _split(synapses: Synapses, kind: np.dtype[Any]) -> Iterator[Term]:
    """One term for each delay of a projection."""
    scale = np.array([1 if synapses.weight_scale is None else synapses.weight_scale], kind)
    weights = synapses.weights
    if synapses.weight_index is not None:
        weights = weights[synapses.weight_index]
    weights = weights.astype(kind)
    shape = synapses.n_pre, synapses.n_post
    one_delay = synapses.delays.ndim == 0
    if synapses.row_ptr is None and one_delay and kind.kind == "f":
        dense = np.ascontiguousarray(np.broadcast_to(weights.reshape(shape) if weights.ndim else weights, shape))
        yield Term(synapses.pre, int(synapses.delays), None, None, dense, scale)
        return
    row_ptr, targets = synapses.row_ptr, synapses.targets
    if row_ptr is None or targets is None:
        row_ptr, targets = np.arange(shape[0] + 1) * shape[1], np.tile(np.arange(shape[1]), shape[0])
    weights = np.ascontiguousarray(np.broadcast_to(weights, targets.shape))
    row_ptr, targets = row_ptr.astype(np.int64), targets.astype(np.int64)
    if one_delay:
        yield Term(synapses.pre, int(synapses.delays), row_ptr, targets, weights, scale)
        return
    for delay in np.unique(synapses.delays):
        chosen = synapses.delays == delay
        before = np.concatenate([[0], np.cumsum(chosen, dtype=np.int64)])
        yield Term(synapses.pre, int(delay), before[row_ptr], targets[chosen], weights[chosen], scale)

"""What arrives at the neurons of an ensemble, port by port.

A port has a filter. Synapses that share a kernel cannot have a factor for each target: if the targets have different
ones, their port multiplies by them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from nengo.builder.signal import Signal

from neuromorph.interchange.nengo.filters import DIRECT, Filter, Inputs
from neuromorph.interchange.nengo.kernels import Kernel, Matrix

if TYPE_CHECKING:
    from neuromorph.interchange.nengo.lift import Cells

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Entry:
    """A port and what is behind it.

    Attributes
    ----------
    filter : Filter
    gained : bool
        Whether what is filtered is multiplied by a factor for each neuron.
    """

    filter: Filter
    gained: bool


PLAIN = Entry(DIRECT, False)
"""Without a filter or a factor."""


@dataclass(frozen=True, eq=False)
class Arrival:
    """Synapses of one sort that arrive by the same way.

    Attributes
    ----------
    entry : Entry
    source : Signal
    matrix : sparse array or Shared (targets, sources)
    straight : bool
        Whether they come from other neurons, a step of Nengo later, and not from a relay or the host.
    """

    entry: Entry
    source: Signal
    matrix: Any
    straight: bool


def arrivals(cells: Cells) -> tuple[list[Arrival], dict[Entry, Array]]:
    """Everything that arrives at an ensemble, and the factors of those of its entries that have some."""
    gains: dict[Entry, tuple[Array, Mask]] = {}
    found = []
    for item, source, matrix, straight in _all(cells):
        entry, synapses = _entered(item, matrix, gains)
        found.append(Arrival(entry, source, synapses, straight))
    return found, {entry: gain for entry, (gain, _) in gains.items()}


def entered(entries: Sequence[Entry]) -> tuple[Inputs, dict[Entry, str], dict[Entry, str]]:
    """The ports of a neuron.

    Parameters
    ----------
    entries : sequence of Entry
        Besides a plain one without a filter, which is always there.

    Returns
    -------
    inputs : Inputs
        All together.
    ports, gains : dict of Entry to str
        Names of ports, and of parameters that multiply.
    """
    inputs = Inputs([DIRECT], {}, None)
    ports, gains = {PLAIN: DIRECT.name}, {}
    for k, entry in enumerate(entries, 1):
        added = Inputs([entry.filter], {}, None, f"entry_{k}_")
        ports[entry] = f"entry_{k}_{entry.filter.name}"
        if entry.gained:
            gains[entry] = f"gain_{k}"
            added = added.times(gains[entry])
        inputs = inputs.plus(added)
    return inputs, ports, gains


def _all(cells: Cells) -> Iterator[tuple[Filter, Signal, Matrix, bool]]:
    for source, matrix in cells.current.terms.items():
        yield DIRECT, source, matrix, False
    for pairs in cells.pairs:
        yield pairs.filter, pairs.source, pairs.matrix, True


def _entered(item: Filter, matrix: Matrix, gains: dict[Entry, tuple[Array, Mask]]) -> tuple[Entry, Any]:
    """The entry and the synapses. Two kernels share one if no neuron needs two factors; else one is taken apart."""
    plain, gained = Entry(item, False), Entry(item, True)
    if not isinstance(matrix, Kernel):
        return plain, matrix
    even = matrix.even()
    if even is not None:
        return plain, even
    used = np.bincount(matrix.shared.post, minlength=matrix.shape[0]) > 0
    gain, before = gains.get(gained, (np.zeros(matrix.shape[0]), np.zeros(matrix.shape[0], np.bool_)))
    both = used & before
    if not np.array_equal(gain[both], matrix.gain[both]):
        return plain, matrix.matrix()
    gains[gained] = np.where(used, matrix.gain, gain), used | before
    return gained, matrix.shared

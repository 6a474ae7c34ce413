"""Which storage a projection gets, by its kind and its size, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from neuromorph.network.synapses import Synapses

from .conversion import repeats
from .frame import Traffic, lanes_of

FormName = Literal["lists", "bits", "matrix", "geometry"]

BIT_DENSITY = {16: 0.06, 8: 0.09}
"""Synapses per pair from which bit rows are faster than lists, by lanes of a vector of sums.

Measured with rows of 10,240 targets on a Zen 4 server core: an event takes 0.25 us through bit rows (0.46 us with sums
of 8 bytes; 0.35 and 0.46 without AVX-512), and 0.42 ns (0.54 ns) for each target of a list. Processors with wider data
paths gain earlier, from 0.03 on.
"""


@dataclass(frozen=True)
class Choice:
    """A storage form, and why it was chosen."""

    form: FormName
    reason: str


def choose(synapses: Synapses, traffic: Traffic) -> Choice:
    """The storage that is expected to deliver fastest, among those that can hold the projection."""
    if synapses.geometry is not None:
        return Choice("geometry", "shared kernel, no list of targets")
    if synapses.row_ptr is None:
        if synapses.delays.ndim == 0:
            return Choice("matrix", "from all to all")
        return Choice("lists", "from all to all with delays of their own")
    if synapses.weights.ndim or synapses.delays.ndim:
        return Choice("lists", f"{'weights' if synapses.weights.ndim else 'delays'} of their own")
    density, least = synapses.count / max(synapses.n_pre * synapses.n_post, 1), BIT_DENSITY[lanes_of(traffic.sums)]
    if density < least:
        return Choice("lists", f"{density:.2g} of all pairs, below {least:g}")
    if repeats(synapses.row_ptr, synapses.targets):
        return Choice("lists", "pairs with more than one synapse")
    return Choice("bits", f"{density:.2g} of all pairs, at least {least:g}, without repetition")

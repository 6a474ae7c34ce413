"""What projections whose synapses change look like to the mapping: rows of synapses, and values that others look at.

A PE that holds a target holds the synapses that end there with all their states, so they are mapped as other synapses
are, with wider words; kernels of their own run them. What synapses see of a third population travels from its neurons
to the PEs that hold the targets, so these are mapped as if they were joined.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from neuromorph.lowering.plastic import PlasticProjection, View
from neuromorph.lowering.program import LoweredNetwork
from neuromorph.network.synapses import Synapses

from .layout import synapse_bytes


@dataclass(frozen=True)
class Footprint(Synapses):
    """Synapses that no kernel of plain rows applies.

    Attributes
    ----------
    fields : int
        Bytes of each synapse besides its head.
    seen : bool
        No synapses at all: the targets' synapses look at the source.
    """

    fields: int = 0
    seen: bool = False


def with_footprints(lowered: LoweredNetwork) -> LoweredNetwork:
    """The network with a footprint of each plastic projection at its place among the projections, thirds behind them.

    A network that has them already stays as it is.
    """
    if not lowered.plastic or any(isinstance(s, Footprint) for s in lowered.projections):
        return lowered
    known = [*lowered.projections, *(_footprint(each) for each in lowered.plastic)]
    thirds = dict.fromkeys((v.population, p.post) for p, v in remote_views(lowered) if v.end == "third")
    known += [_third(lowered, len(known) + k, *ends) for k, ends in enumerate(thirds)]
    return replace(lowered, projections=tuple(sorted(known, key=lambda s: s.index)))


def remote_views(lowered: LoweredNetwork) -> Iterator[tuple[PlasticProjection, View]]:
    """What synapses see of neurons that may be on other PEs than the synapses."""
    for plastic in lowered.plastic:
        for view in plastic.views:
            if view.end == "pre" or (view.end == "third" and view.population != plastic.post):
                yield plastic, view


def view_words(lowered: LoweredNetwork) -> npt.NDArray[np.int64]:
    """Values that each neuron of a population sends in every step to those who look at it, int64 (populations,)."""
    seen = {(view.population, view.variable) for _, view in remote_views(lowered)}
    return np.bincount([k for k, _ in seen], minlength=len(lowered.populations)).astype(np.int64)


def _footprint(plastic: PlasticProjection) -> Footprint:
    sources, delays = plastic.sources(), plastic.delays()
    order = np.lexsort((plastic.targets, sources))
    one = len(plastic.rows) < 2
    shortest = min((rows.delay for rows in plastic.rows), default=1)
    return Footprint(
        name=plastic.name,
        index=plastic.index,
        pre=plastic.pre,
        post=plastic.post,
        port=plastic.port,
        n_pre=plastic.n_pre,
        n_post=plastic.n_post,
        row_ptr=_pointer(sources, plastic.n_pre),
        targets=plastic.targets[order],
        weights=np.zeros((), np.float32),
        weight_index=None,
        delays=(np.array(shortest) if one else delays[order]).astype(np.uint16),
        fields=synapse_bytes(plastic),
    )


def _third(lowered: LoweredNetwork, index: int, pre: int, post: int) -> Footprint:
    """Third neurons, one for all targets or one for each, joined with those who look at them."""
    source, target = lowered.populations[pre], lowered.populations[post]
    one = source.size == 1
    return Footprint(
        name=f"{source.name} as seen by synapses of {target.name}",
        index=index,
        pre=pre,
        post=post,
        port=0,
        n_pre=source.size,
        n_post=target.size,
        row_ptr=None if one else np.arange(source.size + 1, dtype=np.int64),
        targets=None if one else np.arange(source.size, dtype=np.uint32),
        weights=np.zeros((), np.float32),
        weight_index=None,
        delays=np.array(1, np.uint16),
        seen=True,
    )


def synapse_count(lowered: LoweredNetwork) -> int:
    """Synapses of a network that may have footprints."""
    return sum(s.count for s in lowered.projections if not (isinstance(s, Footprint) and s.seen))


def _pointer(neurons: npt.NDArray[np.int64], size: int) -> npt.NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(np.bincount(neurons, minlength=size))]).astype(np.int64)

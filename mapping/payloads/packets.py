"""From events to packets: what an encoding sends for the events that a run recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from neuromorph.errors import TargetError

from ..route.keys import Keys
from ..spinnaker2.flow import recorded_events
from ..spinnaker2.layout import offsets
from ..spinnaker2.plastic.footprints import view_words
from .encodings import Encoding
from .values import Range

if TYPE_CHECKING:
    from neuromorph.trace import Trace

    from ..spinnaker2.instance import Deployed

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Sent:
    """Events that leave their PE, sorted by step, group and key.

    Attributes
    ----------
    step, group, number : int64 (events,)
        ``number`` is the neuron's within its group's block of keys.
    population : int64 (events,)
        Position in ``names``.
    value : float64 (events,)
        1 for spikes.
    names : tuple of str
        Of all populations of the network.
    graded : tuple of bool
        Whether events of each population carry values.
    """

    step: Ints
    group: Ints
    number: Ints
    population: Ints
    value: npt.NDArray[np.float64]
    names: tuple[str, ...]
    graded: tuple[bool, ...]

    def __len__(self) -> int:
        return len(self.step)

    def values_of(self, name: str) -> npt.NDArray[np.float64]:
        """Values of one population's events."""
        return np.asarray(self.value[self.population == self.names.index(name)])

    def ranges(self) -> dict[str, Range]:
        """The range of each population that sent graded events, which just holds their values."""
        here = set(np.unique(self.population).tolist())
        return {
            name: Range.of(self.values_of(name))
            for k, (name, graded) in enumerate(zip(self.names, self.graded, strict=True))
            if graded and k in here
        }


def sent_events(deployed: Deployed, trace: Trace) -> Sent:
    """The events of a trace that a mapped network sends as packets; what reaches nobody is left out.

    Raises
    ------
    TargetError
        If a population that sends packets was not recorded, the trace is of another network or knows no steps, or
        synapses look at values of neurons in every step.
    """
    mapped, keys = deployed.mapping, deployed.mapping.routing.keys
    if view_words(mapped.lowered).any():
        raise TargetError(
            f"{mapped.lowered.name}: its synapses look at values of neurons on other PEs, which are sent in every step "
            "beside the events; encodings of payloads are compared for networks without them"
        )
    first = offsets(mapped.lowered)
    columns = []
    for k, events in recorded_events(deployed, trace):
        ids, sender = np.asarray(events.ids, np.int64), mapped.lowered.populations[k]
        if events.steps is None:
            raise TargetError(f"{sender.name}: the trace does not say in which step events are; give its dt")
        if len(ids) and ids.max() >= sender.size:
            raise TargetError(
                f"{sender.name}: the trace has an event of neuron {int(ids.max())}, the network has "
                f"{sender.size:,} neurons there; give a trace of this network"
            )
        given = np.ones(len(ids)) if events.values is None else np.asarray(events.values, np.float64)
        columns.append((np.asarray(events.steps, np.int64), first[k] + ids, np.full(len(ids), k), given))
    step, neuron, population, value = (
        [np.concatenate(parts) for parts in zip(*columns, strict=True)] if columns else [np.zeros(0, np.int64)] * 4
    )
    key, group = keys.key.astype(np.int64)[neuron], keys.group.astype(np.int64)[neuron]
    order = np.lexsort((key, group, step))
    order = order[group[order] >= 0]
    group = group[order]
    number = key[order] - keys.base.astype(np.int64)[group]
    populations = mapped.lowered.populations
    return Sent(
        step[order],
        group,
        number,
        population[order].astype(np.int64),
        value[order].astype(np.float64),
        tuple(p.name for p in populations),
        tuple(p.graded for p in populations),
    )


@dataclass(frozen=True)
class Packets:
    """Packets in the order in which their steps come.

    Attributes
    ----------
    step, group : int64 (packets,)
    used : int64 (packets,)
        Bits of the payload that the encoding fills.
    size : int64 (packets,)
        Bits of the payload that is sent.
    """

    step: Ints
    group: Ints
    used: Ints
    size: Ints

    def __len__(self) -> int:
        return len(self.step)


def value_bits(encoding: Encoding, sent: Sent, ranges: Mapping[str, Range]) -> Ints:
    """Bits of the value of each event, 0 for spikes; int64 (events,)."""
    bits = np.zeros(len(sent), np.int64)
    for name, each in ranges.items():
        own = sent.population == sent.names.index(name)
        bits[own] = encoding.values.lengths(sent.value[own], each)
    return bits


def index_bits(keys: Keys) -> Ints:
    """Bits that tell the neurons of each group apart: those that its block of keys leaves free; int64 (groups,)."""
    block = (~keys.mask.astype(np.uint32)).astype(np.int64) + 1  # a power of two
    return np.asarray(np.log2(block), np.int64)


def packets_of(encoding: Encoding, sent: Sent, ranges: Mapping[str, Range], keys: Keys, sizes: Ints) -> Packets:
    """What an encoding sends.

    Parameters
    ----------
    ranges : mapping of str to Range
        Of every population that sent graded events, as :meth:`Sent.ranges` gives them.
    sizes : int64 (sizes,)
        Bits that a payload can have, ascending.
    """
    from ._kernels import pack

    bits, most = value_bits(encoding, sent, ranges), int(sizes[-1])
    if encoding.layout == "single":
        step, group, used = sent.step, sent.group, bits
    elif encoding.layout == "packed":
        first, used = pack(sent.step, sent.group, bits, index_bits(keys), most)
        step, group = sent.step[first], sent.group[first]
    else:
        first = message_starts(sent)
        members = np.bincount(keys.group[keys.group >= 0], minlength=keys.n_groups)
        step, group = sent.step[first], sent.group[first]
        total = members[group] + (np.add.reduceat(bits, first) if len(first) else np.zeros(0, np.int64))
        pieces = -(-total // most)
        step, group = np.repeat(step, pieces), np.repeat(group, pieces)
        used = np.full(len(step), most, np.int64)
        last = np.cumsum(pieces) - 1
        used[last] = total - (pieces - 1) * most
    return Packets(step, group, used, sizes[np.searchsorted(sizes, used)])


def message_starts(sent: Sent) -> Ints:
    """First event of each step and group; int64 (messages,)."""
    fresh = np.ones(len(sent), bool)
    fresh[1:] = (np.diff(sent.step) != 0) | (np.diff(sent.group) != 0)
    return np.flatnonzero(fresh)

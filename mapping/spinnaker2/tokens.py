"""What each step of a run cost, and what its time went into; in a pipeline of layers, each step is a token.

The layers of a pipeline work on different tokens at one time: while the first reads token t, the layer that is k steps
behind the input works on token t - k. So a step does as much as a token needs, and ends with the output for one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from neuromorph.lowering.program import EventTable

from ..machine import LONG_LINK
from .layout import REPLAYED_EVENT
from .ledger import PHASES
from .pipeline import lags

if TYPE_CHECKING:
    from .decoder_costs import DecoderCost
    from .energy import Totals
    from .instance import Deployed

Floats = npt.NDArray[np.float64]
Columns = Mapping[str, Floats]
Layers = Mapping[str, npt.NDArray[np.int32]]

SPENT = {
    "update": "updating neurons on the busiest PE",
    "send": "sending packets on the busiest PE",
    "receive": "receiving packets on the busiest PE",
    "input": "synapses from other populations on the busiest PE",
    "recurrent": "recurrent synapses on the busiest PE",
    "record": "recording on the busiest PE",
    "dma": "transfers from LPDDR4 to the busiest PE",
    "plasticity": "synapses that change on the busiest PE",
    "wait": "waiting for packets on their way",
    "network": "the busiest link of the network",
    "barrier": "closing the step",
    "tick": "waiting for the next tick",
    "decoder": "computing the decoder's products and softmax",
    "decoder's table": "the decoder's table from LPDDR4",
}
"""What the time of a step goes into."""


@dataclass(frozen=True)
class Tokens:
    """Costs of the steps in which the last layer answers, one for each token.

    Attributes
    ----------
    depth : int
        Steps from a token to the answer of the last layer.
    events, packets, input_events, recurrent_events : dict of population to int64 (tokens,)
        What each population emitted and sent; synaptic events onto its neurons.
    copies : int64 (tokens,)
        Packets that arrived at PEs.
    cycles : dict of phase to float64 (tokens,)
        Of all PEs together.
    time : float64 (tokens,)
        Seconds from one answer to the next.
    latency : float64 (tokens,)
        Seconds from the token to its answer: ``depth + 1`` steps.
    energy : float64 (tokens,)
        Joules of the machine in that time.
    spent : dict of str to float64 (tokens,)
        Seconds by what they went into, see :data:`SPENT`; together the time.
    """

    depth: int
    events: dict[str, npt.NDArray[np.int64]]
    packets: dict[str, npt.NDArray[np.int64]]
    input_events: dict[str, npt.NDArray[np.int64]]
    recurrent_events: dict[str, npt.NDArray[np.int64]]
    copies: npt.NDArray[np.int64]
    cycles: dict[str, Floats]
    time: Floats
    latency: Floats
    energy: Floats
    spent: dict[str, Floats]

    def __len__(self) -> int:
        return len(self.time)

    @property
    def bound(self) -> str:
        """What most of the time goes into."""
        return max(self.spent, key=lambda name: float(self.spent[name].sum()))


def step_times(time: Floats, decoder: DecoderCost | None, overlap: str) -> Floats:
    """Seconds of each step with the decoder's part; beside the network, it works on the outputs of the step before."""
    if decoder is None or not len(time):
        return time
    if overlap != "network":
        return time + decoder.time
    before = np.concatenate([[0.0], decoder.time[:-1]])
    joined = np.maximum(time, before)
    joined[-1] += decoder.time[-1]
    return np.asarray(joined, np.float64)


def step_energy(deployed: Deployed, series: Columns, layers: Layers, decoder: DecoderCost | None) -> Floats:
    """Joules of each step; as :func:`.energy.account` shares out the sum."""
    mapped, c = deployed.mapping, deployed.mapping.machine.constants
    time = _times(deployed, series, decoder)
    asleep = c.si(f"level.{'high' if deployed.clock.level == 'high' else 'low'}.pe_asleep")
    always = c.si("power.chip_base") * mapped.machine.chips
    always += int((mapped.machine.link_kind == LONG_LINK).sum()) * c.si("power.long_link")
    joules = series["core"] + series["packet_energy"] + always * time + asleep * (mapped.parts * time - series["busy"])
    moved = np.zeros(len(time))
    for k, population in enumerate(mapped.lowered.populations):
        moved += mapped.held[k].sum() * mapped.layout.populations[k].recording / mapped.layout.options.flush
        if isinstance(population.replay, EventTable):
            moved += (layers["events"][:, k] > 0) * float(mapped.dram.row_bytes[k].sum())
        elif population.replay is not None:
            moved += layers["packets"][:, k] * REPLAYED_EVENT
    joules = joules + moved * 8.0 * c.si("energy.dram_bit")
    if decoder is not None:
        joules = joules + sum(decoder_joules(deployed, decoder, time).values())
    return np.asarray(joules, np.float64)


def decoder_joules(deployed: Deployed, decoder: DecoderCost, time: Floats) -> dict[str, Floats]:
    """Joules of a decoder in steps of so many seconds, by cause.

    Its PEs are asleep when they do not work; those that hold neurons are counted there, less the time that they decode.
    """
    mapped, c = deployed.mapping, deployed.mapping.machine.constants
    assert mapped.decoder is not None
    asleep = c.si(f"level.{'high' if deployed.clock.level == 'high' else 'low'}.pe_asleep")
    own = len(np.setdiff1d(mapped.decoder.pes, mapped.placement))
    return {
        "core": decoder.core,
        "sleep": asleep * (own * time - decoder.busy),
        "noc": decoder.packets,
        "dram": np.asarray(decoder.bytes * (8.0 * c.si("energy.dram_bit")), np.float64),
    }


def _times(deployed: Deployed, series: Columns, decoder: DecoderCost | None) -> Floats:
    placed = deployed.mapping.decoder
    return step_times(series["time"], decoder, "" if placed is None else placed.overlap)


def _spent(parts: dict[str, Floats], time: Floats) -> dict[str, Floats]:
    """Times of the PE that is done last, less of each where they exceed a tick, and what is left of the step."""
    whole = np.sum(list(parts.values()), axis=0)
    share = np.minimum(1.0, time / np.maximum(whole, 1e-300))
    return {name: values * share for name, values in parts.items()} | {"barrier": time - whole * share}


def make_tokens(
    deployed: Deployed, totals: Totals, series: Columns, layers: Layers, decoder: DecoderCost | None
) -> Tokens | None:
    """Costs of each token of a run; None if it was too short for one."""
    lowered, costs, c = deployed.mapping.lowered, deployed.costs, deployed.mapping.machine.constants
    depth = int(lags(lowered).max(initial=0))
    step = series["step"].astype(np.int64)
    done = np.flatnonzero(step >= depth)  # samples of a batch begin anew at step 0
    done = done[done >= depth]  # what a restored run has in its pipeline came in before
    if not len(done):
        return None
    time, energy = _times(deployed, series, decoder), step_energy(deployed, series, layers, decoder)
    until = np.concatenate([[0.0], np.cumsum(time)])
    names = [p.name for p in lowered.populations]

    def by_population(what: str) -> dict[str, npt.NDArray[np.int64]]:
        return {name: layers[what][done, k].astype(np.int64) for k, name in enumerate(names)}

    cycles = {
        "update": np.full(len(done), float((costs.update - costs.record - costs.dma).sum())),
        "send": series["packets"][done] * c.count("cycles.packet_send"),
        "receive": series["receive_cycles"][done],
        "input": series["input_cycles"][done],
        "recurrent": series["recurrent_cycles"][done],
        "record": np.full(len(done), float(costs.record.sum())),
        "dma": np.full(len(done), float(costs.dma.sum())),
        "plasticity": series["plastic_cycles"][done],
    }
    spent = _spent({name: series[f"last_{name}"][done] for name in (*PHASES, "wait", "network")}, series["time"][done])
    if deployed.clock.ticked:
        spent["tick"] = spent.pop("barrier")
    if decoder is not None:
        added = time[done] - series["time"][done]
        slow = np.minimum(np.maximum(decoder.transfer[done] - decoder.compute[done], 0.0), added)
        spent |= {"decoder": added - slow, "decoder's table": slow}
    return Tokens(
        depth=depth,
        events=by_population("events"),
        packets=by_population("packets"),
        input_events=by_population("input_events"),
        recurrent_events=by_population("recurrent_events"),
        copies=series["copies"][done].astype(np.int64),
        cycles=cycles,
        time=time[done],
        latency=until[done + 1] - until[done - depth],
        energy=energy[done],
        spent=spent,
    )

"""One run's events under every encoding: packets, bits, links, joules, and what rounding does to the values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import MappingError, TargetError

from ..noc import timing
from ..route import route_parts
from ..spinnaker2.network_costs import energy_per_bit, link_bits, packet_costs
from .encodings import LAYOUTS, Encoding, encodings
from .packets import Sent, packets_of, sent_events, value_bits
from .software import cycles
from .values import Range, ValueCode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console, ConsoleOptions

    from neuromorph.trace import Trace

    from ..spinnaker2.instance import Deployed
    from ..spinnaker2.program import SpiNNaker2Program

CHIP_LINK = 1
"""Class of chip links in :class:`~neuromorph.mapping.spinnaker2.network_costs.PacketCosts`."""


@dataclass(frozen=True)
class Errors:
    """What a code does to the values of graded events.

    Attributes
    ----------
    mean, largest, rms : float
        Absolute error, in the unit of the values; 0 without graded events.
    sqnr_db : float
        Energy of the values over that of the errors, dB; infinite if nothing is changed.
    lossy_share : float
        Share of the values that SPARK changes beyond rounding to its 256 magnitudes; 0 for other codes.
    """

    mean: float
    largest: float
    rms: float
    sqnr_db: float
    lossy_share: float


@dataclass(frozen=True)
class Outcome:
    """What one encoding costs for all events of a run.

    Attributes
    ----------
    encoding : Encoding
    packets : int
    copies : int
        Packets that PEs receive.
    value_bits : float
        Bits of a graded event's value, on average.
    used_bits : int
        Of payloads, filled by the encoding.
    payload_bits, sent_bits : int
        As sent, at the machine's sizes; header and key included.
    chip_link_bits : int
        Over all chip links, with what checks them; 0 on one chip.
    link_packets : int
        Most packets that pass one link, in all steps.
    busiest_link : str
        Of the step in which a link needs longest; empty without packets.
    link_time : float
        Seconds that it needs for that step's packets.
    network_time : float
        Seconds that the busiest link of each step needs, all steps together.
    most_packets : int
        That one PE receives in one step.
    send_cycles, receive_cycles : int
    joules : dict of str to float
        ``noc``, ``links``, ``send`` and ``receive``; see :attr:`energy`.
    errors : Errors
    """

    encoding: Encoding
    packets: int
    copies: int
    value_bits: float
    used_bits: int
    payload_bits: int
    sent_bits: int
    chip_link_bits: int
    link_packets: int
    busiest_link: str
    link_time: float
    network_time: float
    most_packets: int
    send_cycles: int
    receive_cycles: int
    joules: dict[str, float]
    errors: Errors

    @property
    def energy(self) -> float:
        """Joules of the events on their way: NoC and routers, chip links, cores that send and receive.

        Neither synapses nor sleep nor a chip's base power are in it.
        """
        return sum(self.joules.values())

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON; an infinite SQNR is None."""
        errors = asdict(self.errors)
        if not np.isfinite(errors["sqnr_db"]):
            errors["sqnr_db"] = None
        plain = {name: value for name, value in vars(self).items() if name not in ("encoding", "errors")}
        return {"encoding": self.encoding.name, **plain, "energy": self.energy, "errors": errors}


@dataclass(frozen=True, repr=False)
class PayloadComparison:
    """The same events under several encodings; printed in a terminal, tables in a notebook.

    Attributes
    ----------
    network : str
    machine : str
        Chips and PEs.
    steps : int
        With an event.
    events, graded : int
        Events that were sent, and how many of them carry a value.
    ranges : dict of str to Range
        Of each population that sent graded events.
    outcomes : tuple of Outcome
        In the order in which the encodings were given; the first is what the others are compared with.
    """

    network: str
    machine: str
    steps: int
    events: int
    graded: int
    ranges: dict[str, Range]
    outcomes: tuple[Outcome, ...]

    def __getitem__(self, name: str) -> Outcome:
        """The outcome of an encoding by its name.

        Raises
        ------
        MappingError
            If it was not compared.
        """
        for outcome in self.outcomes:
            if outcome.encoding.name == name:
                return outcome
        known = ", ".join(outcome.encoding.name for outcome in self.outcomes)
        raise MappingError(f"encoding {name!r} was not compared; there is {known}", name=name)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        plain = {name: value for name, value in vars(self).items() if name not in ("ranges", "outcomes")}
        ranges = {name: asdict(each) for name, each in self.ranges.items()}
        return {**plain, "ranges": ranges, "outcomes": [outcome.to_dict() for outcome in self.outcomes]}

    def __str__(self) -> str:
        from neuromorph.engine.tables import as_text

        from .table import summary, tables

        return as_text(summary(self), tables(self))

    def __repr__(self) -> str:
        return f"<PayloadComparison of {len(self.outcomes)} encodings of {self.events:,} events of {self.network}>"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Any]:
        """Tables that fit the width of the terminal."""
        from neuromorph.engine.tables import as_rich

        from .table import summary, tables

        return as_rich(summary(self), tables(self))

    def _repr_html_(self) -> str:
        from neuromorph.engine.tables import as_html

        from .table import summary, tables

        return as_html(summary(self), tables(self))


def replay(
    program: SpiNNaker2Program,
    trace: Trace | None = None,
    names: Iterable[str] | None = None,
    *,
    ranges: Mapping[str, Range] | None = None,
) -> PayloadComparison:
    """Send the events of a run under several encodings.

    Every encoding sends the same events, step by step, along the routes of the mapped network. What coarser values
    would change in the run itself is not seen here: run :func:`coded` for that.

    Parameters
    ----------
    program : SpiNNaker2Program
        Which PE holds which neuron, and the ways of packets.
    trace : Trace, optional
        Of the same network, on any target; default: the program's last run.
    names : iterable of str, optional
        As in ``"spark/packed"``, see :func:`encodings`; where only spikes are sent, by default each layout once.
    ranges : mapping of str to Range, optional
        Of populations that send graded events; default: what just holds the values of the trace.

    Raises
    ------
    TargetError
        If nothing has run, or not all events were recorded.
    MappingError
        For an encoding that there is not, or a range of a population that sent no graded events.
    """
    trace = program.last_trace if trace is None else trace
    if trace is None:
        raise TargetError(f"{program.network.name} has not run yet: there are no events to send; give a trace")
    deployed = program.deployed
    sent = sent_events(deployed, trace)
    chosen = encodings(names)
    held = sent.ranges()
    if unknown := sorted(set(ranges or {}) - set(held)):
        raise MappingError(
            f"range of {', '.join(unknown)}: not a population that sent events with values; those are "
            f"{', '.join(held) or 'none'}"
        )
    held |= ranges or {}
    if names is None and not held:
        chosen = encodings(f"float32/{layout}" for layout in LAYOUTS)
    ways: dict[str, tuple[Deployed, Sent]] = dict.fromkeys(LAYOUTS, (deployed, sent))
    if any(encoding.layout == "broadcast" for encoding in chosen):
        wide = broadcasting(deployed)
        ways["broadcast"] = wide, sent_events(wide, trace)
    machine = deployed.mapping.machine
    return PayloadComparison(
        network=program.network.name,
        machine=f"{machine.chips} chip{'s' if machine.chips > 1 else ''}, {deployed.mapping.parts:,} PEs",
        steps=len(np.unique(sent.step)),
        events=len(sent),
        graded=int(np.array(sent.graded, bool)[sent.population].sum()),
        ranges=held,
        outcomes=tuple(_outcome(*ways[encoding.layout], encoding, held) for encoding in chosen),
    )


def broadcasting(deployed: Deployed) -> Deployed:
    """The same network on the same PEs with one group of keys for each PE, and what its packets then cost."""
    mapped = deployed.mapping
    wide = replace(mapped, routing=route_parts(mapped.fanout, mapped.placement, mapped.machine))
    return replace(deployed, mapping=wide, costs=packet_costs(wide, deployed.image, deployed.clock.level))


def _outcome(deployed: Deployed, sent: Sent, encoding: Encoding, ranges: Mapping[str, Range]) -> Outcome:
    from ._kernels import carry

    mapped, costs = deployed.mapping, deployed.costs
    machine, keys, c = mapped.machine, mapped.routing.keys, mapped.machine.constants
    sizes = np.array(sorted(c["packet.payloads"].value), np.int64)
    packets = packets_of(encoding, sent, ranges, keys, sizes)
    service = np.stack([timing(machine, int(size)).service[costs.links] for size in sizes])
    passed, network_time, worst, worst_link, _, most = carry(
        packets.step,
        packets.group,
        np.searchsorted(sizes, packets.size),
        costs.links_ptr,
        costs.link_index,
        service,
        keys.ptr,
        keys.parts,
    )
    bits = (packets.size + c.count("packet.header")).astype(np.float64)
    framed = link_bits(machine, bits)
    noc_bit, link_bit = energy_per_bit(machine, costs.links_ptr, costs.links[costs.link_index])
    hops = np.add.reduceat(
        np.append(costs.link_class[costs.link_index] == CHIP_LINK, 0), costs.links_ptr[:-1], dtype=np.int64
    )
    work = cycles(encoding, sent, packets, keys, costs, c)
    cycle = c.si(f"level.{'low' if deployed.clock.level == 'low' else 'high'}.energy_per_cycle")
    reached = np.diff(keys.ptr)[packets.group]
    graded = np.array(sent.graded, bool)[sent.population]
    lengths = value_bits(encoding, sent, ranges)[graded]
    return Outcome(
        encoding=encoding,
        packets=len(packets),
        copies=int(reached.sum()),
        value_bits=float(lengths.mean()) if len(lengths) else 0.0,
        used_bits=int(packets.used.sum()),
        payload_bits=int(packets.size.sum()),
        sent_bits=int(bits.sum()),
        chip_link_bits=int((framed * hops[packets.group]).sum()),
        link_packets=int(passed.max(initial=0)),
        busiest_link=machine.link_name(int(costs.links[worst_link])) if worst_link >= 0 else "",
        link_time=float(worst),
        network_time=float(network_time),
        most_packets=int(most),
        send_cycles=work.send,
        receive_cycles=work.receive,
        joules={
            "noc": float((bits * noc_bit[packets.group]).sum()),
            "links": float((framed * link_bit[packets.group]).sum()),
            "send": work.send * cycle,
            "receive": work.receive * cycle,
        },
        errors=errors_of(encoding.values, sent, ranges),
    )


def errors_of(code: ValueCode, sent: Sent, ranges: Mapping[str, Range]) -> Errors:
    """What a code does to the values of all graded events."""
    values, read, lossy = [np.zeros(0)], [np.zeros(0)], 0
    for name, each in ranges.items():
        own = sent.values_of(name)
        values.append(own)
        read.append(code.numbers(own, each))
        lossy += int(code.lossy(own, each).sum())
    x = np.concatenate(values)
    wrong: npt.NDArray[np.float64] = np.abs(np.concatenate(read) - x)
    if not len(x):
        return Errors(0.0, 0.0, 0.0, float("inf"), 0.0)
    noise, power = float((wrong**2).mean()), float((x**2).mean())
    sqnr = 10 * float(np.log10(power / noise)) if noise and power else float("inf")
    return Errors(float(wrong.mean()), float(wrong.max()), noise**0.5, sqnr, lossy / len(x))

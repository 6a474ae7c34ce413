"""How long each place of the network is busy with a packet, and how long the packet takes to pass it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..machine import Machine


@dataclass(frozen=True)
class Timing:
    """Seconds for each link id.

    Attributes
    ----------
    service : float64 (links,)
        Time between two packets over the link at full load; 0 where there is no link.
    latency : float64 (links,)
        Time from the start of service until the packet reaches the next place, in an empty network.
    """

    service: npt.NDArray[np.float64]
    latency: npt.NDArray[np.float64]


def timing(machine: Machine, payload_bits: int = 0) -> Timing:
    """Service times and latencies of a machine's links for packets with some payload.

    A NoC packet is one flit, whatever its payload. Leaving a tile and every hop pass one NoC router (the hop latency);
    entering a tile takes one service time. A chip link sends blocks of 96 bits; payloads over 32 bits need two. The
    event router looks up ``router.lookups_per_cycle`` keys a cycle and takes ``router.pipeline`` cycles for each.
    """
    number = machine.constants
    flit = 1.0 / (number.si("noc.clock") * number.si("noc.flits_per_cycle"))
    hop = number.si("noc.cycles_per_hop") / number.si("noc.clock")
    bits = number.count("packet.header") + payload_bits + number.count("link.overhead")
    blocks = -(-bits // number.count("link.board_packet"))
    router = number.si("router.clock")
    board, long = blocks / number.si("link.board_packets"), blocks / number.si("link.long_packets")
    # In the order of machine.LINK_CLASSES, then "no link".
    service = np.array([flit, flit, flit, board, long, 1.0 / (router * number.si("router.lookups_per_cycle")), 0.0])
    latency = np.array(
        [
            hop,
            hop,
            flit,
            number.si("link.board_latency") + board - 1.0 / number.si("link.board_packets"),
            number.si("link.long_latency") + long - 1.0 / number.si("link.long_packets"),
            number.si("router.pipeline") / router,
            0.0,
        ]
    )
    return Timing(service[machine.link_class], latency[machine.link_class])

"""What PEs do to write events into packets and to read them again, in cycles.

Nobody has published such software, so the operations below are assumptions, each for code that a Cortex-M4 would run;
what an operation takes is a number of the machine (``cycles.*``). Sending a packet, receiving one and finding a row
cost what they do in a run (:mod:`..spinnaker2.network_costs`). Applying synapses costs the same under every encoding,
and is left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..constants import Constants
from ..route.keys import Keys
from ..spinnaker2.network_costs import PacketCosts
from .encodings import Encoding
from .packets import Packets, Sent, message_starts

Ints = npt.NDArray[np.int64]

WRITE = ("shift", "shift", "logic", "int_add")
"""A few bits into a word or two, and on to the next."""
READ = ("bit_field",)
"""A few bits from anywhere, as from rows whose fields are no whole bytes."""
TO_INT = ("float_mul", "float_convert", "int_add", "select")
"""A value over its scale, rounded, limited to the largest code."""
TO_FLOAT = ("float_convert", "float_mul")
TO_SPARK = ("load", "load")
"""Code word and its length, from tables of 256 bytes."""
FROM_SPARK = ("spark_code",)
"""Value and length of a code, and its sign, as of a weight in SPARK."""
ORDER = ("int_add", "select")
"""Whether a number is above the last one: otherwise the packet ends."""
NEXT_BIT = ("logic", "shift", "logic")
"""Number of the next neuron in a word of a bitmap."""
SET_BIT = ("shift", "logic", "store")
BITMAP_WORD = ("load", "int_add")
"""Each word of 32 bits of a bitmap."""


@dataclass(frozen=True)
class Cycles:
    """Cycles of all PEs together.

    Attributes
    ----------
    send : int
        Coding values, filling packets, sending them.
    receive : int
        Taking packets, reading events from them, finding rows.
    """

    send: int
    receive: int


def cycles(
    encoding: Encoding, sent: Sent, packets: Packets, keys: Keys, costs: PacketCosts, constants: Constants
) -> Cycles:
    """What an encoding costs on the PEs that send and those that receive."""
    coding, reading = _values(encoding, constants)
    graded = np.array(sent.graded)[sent.population]
    per_event = np.zeros(len(sent), np.int64)
    per_event[graded] = coding
    reads = np.zeros(len(sent), np.int64)
    reads[graded] = reading
    words = np.zeros(keys.n_groups, np.int64)  # of bitmaps
    write, read = _sum(WRITE, constants), _sum(READ, constants)
    if encoding.layout == "packed":
        per_event += write + graded * write
        reads += read + _sum(ORDER, constants) + graded * read
    elif encoding.layout in ("bitmap", "broadcast"):
        per_event += _sum(SET_BIT, constants) + graded * write
        reads += _sum(NEXT_BIT, constants) + graded * read
        members = np.bincount(keys.group[keys.group >= 0], minlength=keys.n_groups)
        words = _count(sent.group[message_starts(sent)], keys) * -(-members // 32)
    each = constants.count("cycles.packet_send")
    packets_of, events_of = _count(packets.group, keys), _count(sent.group, keys)
    reads_of = np.bincount(sent.group, weights=reads, minlength=keys.n_groups).astype(np.int64)
    reads_of += words * _sum(BITMAP_WORD, constants)
    group = np.repeat(np.arange(keys.n_groups), np.diff(keys.ptr))  # of each copy that a PE gets
    received = packets_of[group] * (costs.receive - costs.again) + events_of[group] * costs.again + reads_of[group]
    return Cycles(each * len(packets) + int(per_event.sum()), int(received.sum()))


def _values(encoding: Encoding, constants: Constants) -> tuple[int, int]:
    """Cycles to code one value, and to read it."""
    code = encoding.values
    if code.exact:
        return 0, 0
    spark = code.rounding is not None
    return (
        _sum(TO_INT + (TO_SPARK if spark else ()), constants),
        _sum((FROM_SPARK if spark else ()) + TO_FLOAT, constants),
    )


def _sum(operations: tuple[str, ...], constants: Constants) -> int:
    return sum(constants.count(f"cycles.{name}") for name in operations)


def _count(group: Ints, keys: Keys) -> Ints:
    return np.asarray(np.bincount(group, minlength=keys.n_groups), np.int64)

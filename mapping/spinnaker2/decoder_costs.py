"""What a decoder costs in each step: bytes and multiply-accumulates are counts, cycles, time and energy a model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neuromorph.errors import MappingError
from neuromorph.lowering.program import LoweredNetwork

from ..machine import Machine
from .decoder import Decoder
from .dram import Dram, aligned, transfer_rate
from .layout import PAYLOAD_BITS, Layout
from .options import WORD

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class DecoderLayout:
    """Which PE decodes which rows.

    Attributes
    ----------
    pes : int32 (pes,)
        Global PEs.
    rows : int64 (pes,)
        Rows of the table that each has.
    step_bytes : int64 (pes,)
        Bytes that each fetches from DRAM in a step: of its rows; with fetch="columns", for each neuron that fired.
    table_bytes : int64 (pes,)
        Bytes of its table in DRAM.
    overlap : str
        See :class:`.Decoder`.
    """

    pes: npt.NDArray[np.int32]
    rows: Ints
    step_bytes: Ints
    table_bytes: Ints
    overlap: str


@dataclass(frozen=True)
class DecoderCost:
    """Costs of a decoder in each step of a run; 0 in steps before the first output.

    Attributes
    ----------
    decoding : bool (steps,)
        Steps that it decodes.
    bytes, macs : int64 (steps,)
        Fetched from DRAM; multiply-accumulates.
    receive, transfer, compute, softmax : float64 (steps,)
        Seconds in which the slowest PE takes the packets of the outputs, DRAM delivers, the PEs form dot products, and
        the softmax is taken over all.
    time : float64 (steps,)
        Seconds from the outputs to the result.
    core, packets : float64 (steps,)
        Joules of cores and MAC arrays, and of the packets with outputs on their way.
    busy : float64 (steps,)
        Seconds of work of all its PEs together.
    """

    decoding: npt.NDArray[np.bool_]
    bytes: Ints
    macs: Ints
    receive: Floats
    transfer: Floats
    compute: Floats
    softmax: Floats
    time: Floats
    core: Floats
    packets: Floats
    busy: Floats


def decoder_room(decoder: Decoder, pes: int) -> int:
    """Bytes of SRAM on each of so many PEs: biases, logits, outputs and two buffers."""
    rows = -(-decoder.rows // max(pes, 1))
    return WORD * rows * (2 if decoder.bias is not None else 1) + WORD * decoder.width + 2 * decoder.buffer


def stored_bytes(decoder: Decoder) -> int:
    """Bytes of the table in DRAM, as if nothing had to be aligned."""
    return decoder.rows * decoder.width * decoder.weight_bytes


def decoder_layout(
    decoder: Decoder, lowered: LoweredNetwork, machine: Machine, placement: npt.NDArray[np.int32], layout: Layout
) -> DecoderLayout:
    """Share the rows out among the decoder's PEs, in order.

    Raises
    ------
    MappingError
        If there is no such population, none is free, or their SRAM does not suffice.
    """
    sizes = {p.name: p.size for p in lowered.populations}
    if decoder.population not in sizes:
        raise MappingError(f"{decoder!r}: no population {decoder.population!r}; there are {', '.join(sizes)}")
    if sizes[decoder.population] != decoder.width:
        raise MappingError(
            f"{decoder!r}: population {decoder.population} has {sizes[decoder.population]} neurons; the table's rows "
            "must be as wide"
        )
    usable = machine.usable_pes
    pes = usable if decoder.pes == "all" else np.setdiff1d(usable, placement).astype(np.int32)
    if not len(pes):
        raise MappingError(
            f'{decoder!r}: all {len(usable)} PEs hold neurons; give pes="all", so that they decode after their step, '
            f"or chips={machine.chips + 1}",
            chips=machine.chips,
        )
    room, c = decoder_room(decoder, len(pes)), machine.constants
    free = layout.sram - c.count("memory.code") - c.count("memory.stack")
    if decoder.pes == "free" and room > free:
        raise MappingError(
            f"{decoder!r}: each of {len(pes)} free PEs needs {room:,} bytes of {free:,}; give more chips, or a smaller "
            "buffer",
            bytes=room,
            limit=free,
        )
    cuts = decoder.rows * np.arange(len(pes) + 1, dtype=np.int64) // len(pes)
    rows = np.diff(cuts)
    if decoder.fetch == "columns":
        column = aligned(rows * decoder.weight_bytes, c)
        return DecoderLayout(pes, rows, column, column * decoder.width, decoder.overlap)
    table = rows * int(aligned(decoder.width * decoder.weight_bytes, c))
    return DecoderLayout(pes, rows, table, table, decoder.overlap)


def decoder_cost(
    decoder: Decoder, placed: DecoderLayout, machine: Machine, dram: Dram, level: str, fired: Ints, first: Ints
) -> DecoderCost:
    """Costs of every step.

    A PE takes a packet for each output, forms its dot products and the exponentials of its logits, and sends its
    maximum and sum to one PE, which tells all. A packet passes one hop to each tile and the event router once.
    float32: a load, a multiplication and an addition for each multiply-accumulate, and with fetch="columns" a load and
    a store of the sum.

    Parameters
    ----------
    level : {"low", "high", "auto"}
        "auto" counts as high.
    fired : int64 (steps,)
        Events of the population.
    first : bool (steps,)
        Steps that have an output.
    """
    c = machine.constants
    name = "low" if level == "low" else "high"
    clock, joule = c.si(f"level.{name}.clock"), c.si(f"level.{name}.energy_per_cycle")

    def cost(*kinds: str) -> int:
        return sum(c.count(f"cycles.{kind}") for kind in kinds)

    dense, pes = decoder.fetch == "table", len(placed.pes)
    outputs = np.where(first, fired, 0)
    columns = np.where(first, decoder.width, 0) if dense else outputs
    times = np.asarray(first, np.int64) if dense else outputs  # that each PE fetches its step_bytes
    macs = columns * decoder.rows
    blocks = -(-placed.step_bytes // decoder.buffer)
    # Loop, bias, logit and maximum of a row; then its exponential.
    row = cost("neuron", "load", "float_add", "store", "float_compare", "select")
    soft = cost("load", "float_add", "exp", "float_add")
    if decoder.arithmetic == "int8":
        row += cost("float_convert", "float_mul")
        each = 1.0 / (c.si("cycles.mac_per_cycle") * c.si("cycles.mac_utilisation"))
    else:
        each = float(cost("load_multiple", "float_mul", "float_add") + (0 if dense else cost("load_multiple", "store")))
    gather = np.where(first, pes * cost("packet_receive") + 2 * cost("packet_send"), 0)
    receive = outputs * cost("packet_receive")

    def work(rows: int, transfers: int) -> Floats:
        """Cycles of dot products."""
        return np.asarray(np.where(first, rows * (columns * each + row) + times * transfers * cost("dma"), 0.0))

    most = int(placed.rows.max())
    compute = work(most, int(blocks.max())) / clock
    softmax = (np.where(first, most * soft, 0) + gather) / clock
    at = float(np.bincount(dram.decoder_interface, weights=placed.step_bytes).max())
    transfer = np.where(first, c.si("memory.dram_latency") + times * at / transfer_rate(c), 0.0)
    together = compute + transfer if decoder.overlap == "none" else np.maximum(compute, transfer)
    cycles = (
        pes * receive + work(decoder.rows, int(blocks.sum())) + np.where(first, decoder.rows * soft, 0) + 2 * gather
    )
    core = cycles * joule
    if decoder.arithmetic == "int8":  # the published energy is that of the chip while the arrays work
        core = core + macs * (c.si(f"level.{name}.energy_per_mac") - each * joule)
    hops = len(np.unique(placed.pes // machine.pes_per_tile)) * c.si("energy.noc_bit_hop") + c.si("energy.router_bit")
    return DecoderCost(
        decoding=np.asarray(first, bool),
        bytes=times * int(placed.step_bytes.sum()),
        macs=macs,
        receive=receive / clock,
        transfer=transfer,
        compute=compute,
        softmax=softmax,
        time=receive / clock + together + softmax,
        core=core,
        packets=outputs * (c.count("packet.header") + PAYLOAD_BITS) * hops,
        busy=cycles / clock,
    )

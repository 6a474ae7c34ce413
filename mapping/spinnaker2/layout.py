"""The memory of a PE, byte by byte.

Every region is a sum of terms that belong to one neuron, one incoming source, one group of neurons, or the PE itself,
so the bytes of any set of neurons are exactly those of the hypergraph that the partitioners work on.

=============  ======================================================================================================
region         content
=============  ======================================================================================================
code           instruction memory (fixed)
stack          heap and stack (fixed)
descriptors    64 B for the PE and 64 B to align regions (fixed); per population 32 B and its shared parameters (4 B
               each); per incoming projection of the population 16 B (format, delay, scale or shared weight, pointers)
state          4 B per state and per own parameter of a neuron; 4 B for its global index if it draws random numbers;
               4 B for the next event of a replayed source, or for its value in the row of a table
keys           4 B per neuron that sends, and per kind of its events: its routing key
ring           delay ring: per port, 1 + (longest delay of the projections that end there) slots of 4 B per neuron, so
               that packets may be applied while neurons are still being updated
synapses       sparse rows: head and weight field of each synapse; dense rows: the weight field only; regenerated
               rows: 4 B per neuron and projection (its coordinates); where synapses change, see :mod:`.plastic.layout`
kernels        kernels of regenerated rows, each block of shared weights once per PE that has a neuron using it
rows           look-up entry per source whose packets reach the PE's neurons
directory      4 B per PE that this PE hears from (15 bits of its key, 17 of where its rows begin; for packed bit rows
               12 and 20), or 8 B where keys are too spread for that; room for a fixed number
fifo           event FIFO: 4 B per packet, 8 B if any event carries a value (fixed)
outgoing       packets waiting to be sent: room for 32 (fixed)
recording      events: 1 bit per neuron and step of the flush interval (4 B more per step for graded events);
               states: 4 B per neuron and recorded step
decoder        of a decoder that all PEs take part in: biases, logits, outputs, two buffers (fixed)
=============  ======================================================================================================

A row is found by its packet's key. All keys of a PE form one block, so a binary search in the directory gives the
sending PE; then

- *indexed* rows: a sorted table of 4-byte entries (key inside the block, byte offset of the row) is searched, and the
  next entry's offset ends the row;
- *packed* rows: the rows of a sending PE stand one after another, each behind a header of 1 or 2 bytes (key inside the
  block), the last synapse of a row marked by a flag in its head. There is no table; the rows are scanned. High fan-in
  random networks, where a PE holds about one synapse of each source, need this.

A row holds first the dense sub-rows of its source population's projections, whose lengths follow from the PE's own
populations, then the sparse synapses of all its projections, in the order of the projections. The head of a synapse
is a bit field: target neuron on the PE, delay (where synapses have their own), projection (only where two sparse
projections join the same two populations), end-of-row flag (packed rows).

Heads and weight fields are whole bytes. Not so in the rows of a source population if weights of any of its projections
are stored in fewer bits (*bit rows*): there, fields follow one another without gaps, and a row begins at any bit. A
field of int4 weights has 4 bits. One of SPARK has a sign bit and the 4 or 8 bits of the code, whose first bit says
which; so the bytes of a PE depend on the weights of its neurons. What all rows of a PE leave of their last byte is
lost. Kernels of regenerated rows are addressed by index, so they hold the numbers of SPARK codes, 2 bytes each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from neuromorph.lowering.program import LoweredNetwork, LoweredPopulation

from ..graph import Block
from ..hypergraph import Limits
from ..machine import Machine
from .options import WORD, LayoutOptions
from .plastic.footprints import Footprint, view_words
from .plastic.layout import shared_bytes, target_bytes

REGIONS = (
    "code",
    "stack",
    "descriptors",
    "state",
    "keys",
    "ring",
    "synapses",
    "kernels",
    "rows",
    "directory",
    "fifo",
    "outgoing",
    "recording",
    "decoder",
)
"""Regions of a PE's memory, in the order of the columns of every table of bytes."""

PE_DESCRIPTOR, ALIGNMENT, POPULATION_DESCRIPTOR, PROJECTION_DESCRIPTOR = 64, 64, 32, 16
OUTGOING_PACKETS = 32
REPLAYED_EVENT = 2 * WORD
"""Bytes of an event that a PE fetches from DRAM: its step and its neuron."""
PAYLOAD_BITS = 8 * WORD
"""Payload of a packet that carries a value: one word."""
BYTE = 8
"""Bits."""
BYTE_ADDRESS, BIT_ADDRESS = 17, 20
"""Bits of an address of a byte, or of a bit, in 128 kB."""
LONGER = 4
"""Bits by which SPARK's long codes exceed the short ones."""

RowKind = Literal["dense", "sparse", "kernel"]
RowMode = Literal["indexed", "packed"]


@dataclass(frozen=True, slots=True)
class ProjectionLayout:
    """How the synapses of one projection are stored on the PEs of their targets.

    Attributes
    ----------
    kind : {"dense", "sparse", "kernel"}
        "kernel": rows regenerated from shared weights.
    weight_bits : int
        Of each synapse's weight field (0: one weight for all), or of each weight of a kernel; of SPARK's short codes.
    word_bits : int
        Of each synapse: head and weight field; 0 for regenerated rows.
    kernel : Block or None
        Blocks of the shared weights of regenerated rows, and the block that each target neuron uses.
    stored : {"int4", "spark"} or None
        What the weight fields of bit rows hold.
    long_codes : int64 (n_post,) or None
        By target neuron, how many of its weights have SPARK's long codes, each of :data:`LONGER` bits more.
    """

    kind: RowKind
    weight_bits: int
    word_bits: int
    kernel: Block | None = None
    stored: str | None = None
    long_codes: npt.NDArray[np.int64] | None = None


@dataclass(frozen=True, slots=True)
class SourceLayout:
    """How the rows of one source population are found.

    Attributes
    ----------
    mode : {"indexed", "packed"}
    entry_bytes : int
        Per source neuron and PE: table entry, or header of a packed row.
    head_bits : int
        Of each sparse synapse: target, delay, projection and end flag.
    bit_rows : bool
        Whether rows begin at any bit and their fields have no gaps.
    """

    mode: RowMode
    entry_bytes: int
    head_bits: int
    bit_rows: bool


@dataclass(frozen=True, slots=True)
class PopulationLayout:
    """Bytes of one neuron of a population by region, synapses excepted, and of what its PE stores once."""

    state: int
    keys: int
    ring: int
    recording: int
    shared: int

    @property
    def neuron(self) -> int:
        """Bytes of one neuron."""
        return self.state + self.keys + self.ring + self.recording


@dataclass(frozen=True)
class Layout:
    """Where every byte of a PE goes; independent of which neurons it holds.

    Attributes
    ----------
    options : LayoutOptions
    neurons_per_pe : int
    fixed : mapping of region to bytes
        What every PE needs.
    sram : int
        Bytes of a PE's memory.
    populations, projections, sources : tuples
        By population, by projection, by (source) population.
    """

    options: LayoutOptions
    neurons_per_pe: int
    fixed: Mapping[str, int]
    sram: int
    populations: tuple[PopulationLayout, ...]
    projections: tuple[ProjectionLayout, ...]
    sources: tuple[SourceLayout, ...]

    @property
    def fixed_bytes(self) -> int:
        """Bytes that every PE needs whatever it holds."""
        return sum(self.fixed.values())

    @property
    def grain(self) -> int:
        """Units of memory in a byte, for partitioners: they count bits where any rows are bit rows."""
        return BYTE if any(source.bit_rows for source in self.sources) else 1

    @property
    def limits(self) -> Limits:
        """What the neurons of one PE may need, in units of the grain."""
        return Limits((self.sram - self.fixed_bytes) * self.grain, self.neurons_per_pe, self.grain)

    @property
    def directory_key_bits(self) -> int:
        """Bits of a key in a directory entry of one word: what is left beside the address of the rows."""
        packed = any(source.bit_rows and source.mode == "packed" for source in self.sources)
        return BYTE * WORD - (BIT_ADDRESS if packed else BYTE_ADDRESS)

    def whole_bytes(self, units: int) -> int:
        """Bytes that hold so many units of the grain."""
        return -(-units // self.grain)


def offsets(lowered: LoweredNetwork) -> npt.NDArray[np.int64]:
    """First vertex of each population, and the number of vertices, int64 (populations + 1,)."""
    return np.concatenate(([0], np.cumsum([p.size for p in lowered.populations]))).astype(np.int64)


def with_neurons(lowered: LoweredNetwork, part: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Parts in which further events leave from the PE of the neuron whose they are, numbered without gaps."""
    first, made = offsets(lowered), part.copy()
    for k, population in enumerate(lowered.populations):
        if population.follows is not None:
            owner = first[population.follows.population]
            made[first[k] : first[k + 1]] = part[owner : owner + population.size]
    return np.unique(made, return_inverse=True)[1].astype(np.int32)


def ring_slots(lowered: LoweredNetwork) -> tuple[tuple[int, ...], ...]:
    """Slots of the delay ring of each port of each population: longest delay that ends there + 1; 0 if none does."""
    slots = [[0] * (len(p.program.ports) if p.program else 0) for p in lowered.populations]
    for synapses in lowered.projections:
        if not isinstance(synapses, Footprint):
            ports = slots[synapses.post]
            ports[synapses.port] = max(ports[synapses.port], synapses.max_delay + 1)
    for plastic in lowered.plastic:  # events wait until they act, and then add to the sums of this step or the next
        for port in plastic.ports if plastic.program.outputs else (plastic.port,):
            slots[plastic.post][port] = max(slots[plastic.post][port], 2)
    return tuple(tuple(ports) for ports in slots)


def _uses_random(population: LoweredPopulation) -> bool:
    return population.program is not None and any(op.code in ("random", "poisson") for op in population.program.ops)


def population_layout(lowered: LoweredNetwork, index: int, options: LayoutOptions) -> PopulationLayout:
    """Bytes of one neuron of population ``index``; further events of neurons are kept with these."""
    population = lowered.populations[index]
    if population.follows is not None:
        return PopulationLayout(state=0, keys=0, ring=0, recording=0, shared=0)
    incoming = sum(s.post == index for s in lowered.projections)
    shared = POPULATION_DESCRIPTOR + PROJECTION_DESCRIPTOR * incoming
    state = 0
    if population.program is not None:
        state = WORD * len(population.program.states)
        own = sum(np.ndim(values) > 0 for values in population.param_values)
        state += WORD * own
        shared += WORD * (len(population.param_values) - own)
        if _uses_random(population):
            state += WORD
    else:
        state = WORD
    further = [p for p in lowered.populations if p.follows is not None and p.follows.population == index]
    recording = keys = 0
    for each in (population, *further):
        keys += WORD * any(s.pre == each.index for s in lowered.projections)
        if options.record and each.record_events:
            recording += -(-options.flush // 8) + (WORD * options.flush if each.graded else 0)
    if options.record:
        recording += sum(WORD * -(-options.flush // every) for _, every in population.record_states)
    shared += POPULATION_DESCRIPTOR * len(further)
    state += WORD * len(population.seen)
    for plastic in lowered.plastic:
        if plastic.post == index:
            state += target_bytes(lowered, plastic)
            shared += shared_bytes(lowered, plastic)
    ring = WORD * sum(ring_slots(lowered)[index])
    return PopulationLayout(state=state, keys=keys, ring=ring, recording=recording, shared=shared)


def fixed_bytes(lowered: LoweredNetwork, machine: Machine, options: LayoutOptions) -> dict[str, int]:
    """Bytes of the regions that every PE has."""
    packet = machine.constants.count("fifo.entry_bytes")
    if any(population.graded for population in lowered.populations) or view_words(lowered).any():
        packet += WORD
    return {
        "code": machine.constants.count("memory.code"),
        "stack": machine.constants.count("memory.stack"),
        "descriptors": PE_DESCRIPTOR + ALIGNMENT,
        "directory": options.directory_entry * options.directory,
        "fifo": packet * options.fifo,
        "outgoing": packet * OUTGOING_PACKETS,
        "decoder": options.decoder,
    }


def with_directory(layout: Layout, entries: int, entry_bytes: int | None = None) -> Layout:
    """The same layout with room for another number of sending PEs, and another size of their entries."""
    size = entry_bytes or layout.options.directory_entry
    options = replace(layout.options, directory=entries, directory_entry=size)
    return replace(layout, options=options, fixed={**layout.fixed, "directory": size * entries})

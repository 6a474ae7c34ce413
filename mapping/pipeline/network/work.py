"""What one population and one projection are to a pipeline: shapes, memories in exact bits, and pipeline depths."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from neuromorph.engine.layout import shared_ops
from neuromorph.formats import spark_length
from neuromorph.language.expr import Type
from neuromorph.lowering.program import LoweredPopulation, Op, StepProgram
from neuromorph.network.synapses import Synapses

from ...constants import Constants, load_constants
from ..graph import Memory
from .order import Link

INT_BITS = 32
"""Of an int state or a sum of ints."""

Form = Literal["dense", "listed", "window"]
"""How a projection's weights are stored.

========  ==============================================================================================================
dense     A weight for every pair; inputs stream by, once for each group of outputs.
listed    Each output has a list of its inputs, with weights; the events of a step are stored first.
window    One kernel for all places of a convolution or pooling; the events of a step are stored first.
========  ==============================================================================================================
"""


@cache
def depths() -> Constants:
    """The pipeline depths that the layout of networks computes with, with their sources."""
    return load_constants("pipeline_network")


@dataclass(frozen=True)
class Neurons:
    """The work of a population in a step.

    Attributes
    ----------
    name : str
    size : int
        Neurons.
    source : bool
        Events come from outside.
    event_bits : int
        Of a neuron's place in a word of events: 1 for spikes, else the value's.
    depth : int
        Cycles from sums to events.
    additions, multiplications, divisions : int
        Operations of one neuron; a root is a division, and what is the same for all neurons counts as nothing.
    memories : tuple of Memory
        States and parameters of neurons.
    """

    name: str
    size: int
    source: bool
    event_bits: int
    depth: int
    additions: int
    multiplications: int
    divisions: int
    memories: tuple[Memory, ...]


@dataclass(frozen=True)
class Product:
    """The work of a projection in a step.

    Attributes
    ----------
    name : str
    index : int
        Position among the network's projections.
    pre, post : int
        Populations.
    form : {"dense", "listed", "window"}
    tokens, inputs, outputs, copies : int
        ``copies`` times ``tokens`` rows of ``inputs`` weights for each of ``outputs``.
    delay : int
        Shortest, in steps.
    spread : int
        Steps from the shortest to the longest delay, 0 if all are alike.
    weight_bits : int
        Of a weight in a multiplier.
    sum_bits : int
    memories : tuple of Memory
        Weights, and lists of inputs and delays, in bits as they are stored.
    rows : int64 (sources,)
        Synapses of each source.
    """

    name: str
    index: int
    pre: int
    post: int
    form: Form
    tokens: int
    inputs: int
    outputs: int
    copies: int
    delay: int
    spread: int
    weight_bits: int
    sum_bits: int
    memories: tuple[Memory, ...]
    rows: npt.NDArray[np.int64]

    @property
    def link(self) -> Link:
        """As far as order goes."""
        return Link(self.pre, self.post, self.delay)

    @property
    def stored_bits(self) -> int:
        """Exact bits of weights and lists."""
        return sum(memory.words * memory.bits for memory in self.memories if memory.kind == "weights")


def neurons_of(population: LoweredPopulation, value_bits: int) -> Neurons:
    """The work of a population whose graded events have values of so many bits."""
    bits = value_bits if population.graded else 1
    program = population.program
    if program is None:
        return Neurons(population.name, population.size, True, bits, depths().count("stage.route"), 0, 0, 0, ())
    width = 32 if program.dtype == "float32" else 64
    own = [program.ops[number] for number in program.used - shared_ops(program)]
    counts = [_KIND.get(op.code, "add") for op in own]
    memories = [
        Memory("states", population.size, sum(width if s.type is Type.FLOAT else INT_BITS for s in program.states)),
        Memory(
            "parameters",
            population.size,
            sum(width if s.type is Type.FLOAT else INT_BITS for s in program.params if s.per_neuron),
            kind="weights",
        ),
    ]
    return Neurons(
        population.name,
        population.size,
        False,
        bits,
        depth_of(program),
        counts.count("add"),
        counts.count("multiply"),
        counts.count("divide"),
        tuple(memory for memory in memories if memory.bits),
    )


_KIND = dict.fromkeys(("const", "state", "param", "port", "step", "random"), "free") | {
    "mul": "multiply",
    "div": "divide",
    "sqrt": "divide",
    "truncdiv": "divide",
}


def depth_of(program: StepProgram) -> int:
    """Cycles of the longest way from a neuron's inputs to its new states and event, at least 1."""
    ends = [0] * len(program.ops)
    used, shared = program.used, shared_ops(program)
    for number, op in enumerate(program.ops):
        if number in used and number not in shared:
            ends[number] = max((ends[k] for k in op.args), default=0) + _cycles(op)
    return max([1, *ends])


def _cycles(op: Op) -> int:
    price = depths().count
    whole = op.type is Type.INT
    if op.code in ("const", "state", "param", "port", "step"):
        return 0
    if op.code in ("add", "sub"):
        return price("operation.int_add" if whole else "operation.float_add")
    if op.code == "mul":
        return price("operation.int_multiply" if whole else "operation.float_multiply")
    if op.code == "truncdiv":
        return price("operation.int_divide")
    if op.code in ("div", "sqrt"):
        return price("operation.float_divide" if op.code == "div" else "operation.float_root")
    if op.code in ("floor", "rint", "trunc", "to_int", "to_float"):
        return price("operation.convert")
    if op.code in ("random", "poisson"):
        return price("operation.random")
    return price("operation.simple")


def product_of(synapses: Synapses, dtype: str, whole: bool) -> Product:
    """The work of a projection onto a port of floats, or of ints (``whole``)."""
    float_bits = 32 if dtype == "float32" else 64
    sum_bits = INT_BITS if whole else float_bits
    each, weights = _weights(synapses)
    spread = synapses.max_delay - synapses.min_delay
    rows = np.full(synapses.n_pre, synapses.n_post, np.int64)
    copies = tokens = 1
    form: Form = "dense"
    inputs, outputs = synapses.n_pre, synapses.n_post
    memories: tuple[Memory, ...] = (weights,)
    window = synapses.geometry
    if window is not None:
        form, copies, tokens = "window", window.groups, window.y.out * window.x.out
        inputs = window.channels // window.groups * window.y.taps * window.x.taps
        outputs = window.out_channels // window.groups
        rows = _window_rows(synapses)
    elif synapses.row_ptr is not None and synapses.targets is not None:
        rows = np.diff(synapses.row_ptr)
        if synapses.weight_index is not None or not _as_matrix(synapses, each):
            form = "listed"
            inputs = int(np.bincount(synapses.targets, minlength=1).max()) if synapses.count else 1
            memories = (weights, *_lists(synapses))
        else:
            zeros = synapses.n_pre * synapses.n_post - synapses.count
            memories = (weights, _zeros(synapses, zeros, each))
    if spread:
        memories = (*memories, Memory("delayed", synapses.n_post * (spread + 1), sum_bits))
    return Product(
        synapses.name, synapses.index, synapses.pre, synapses.post, form, tokens, inputs, outputs, copies,
        synapses.min_delay, spread, each, sum_bits, tuple(m for m in memories if m.words and m.bits), rows,
    )  # fmt: skip


def _weights(synapses: Synapses) -> tuple[int, Memory]:
    """Bits of a weight in a multiplier, and the memory that holds all of them."""
    weights = synapses.weights
    if synapses.stored == "spark":
        # codes of 4 or 8 bits for the sizes, and a plane of signs: what neuromorph.formats counts
        nibbles = int(spark_length()[np.abs(weights)].astype(np.int64).sum()) // 4
        return 9, Memory("weights", 4 * nibbles + weights.size, 1, kind="weights")
    bits = 4 if synapses.stored == "int4" else 8 * weights.dtype.itemsize
    return bits, Memory("weights", weights.size, bits, kind="weights")


def _zeros(synapses: Synapses, zeros: int, each: int) -> Memory:
    """Pairs without a synapse in a matrix of all pairs: a weight of 0; in SPARK a short code and a sign."""
    bits = 5 if synapses.stored == "spark" else each
    return Memory("zeros", zeros, bits, kind="weights")


def _as_matrix(synapses: Synapses, each: int) -> bool:
    """Whether listed synapses take fewer bits as a matrix, which knows one weight a pair and one delay."""
    assert synapses.row_ptr is not None
    assert synapses.targets is not None
    if synapses.weights.ndim == 0 or synapses.max_delay > synapses.min_delay:
        return False
    pairs = synapses.n_pre * synapses.n_post
    zero = 5 if synapses.stored == "spark" else each
    if (pairs - synapses.count) * zero > synapses.count * _list_bits(synapses):
        return False
    targets = synapses.targets.astype(np.int64)
    places = np.repeat(np.arange(synapses.n_pre) * synapses.n_post, np.diff(synapses.row_ptr)) + targets
    return bool((np.diff(places) > 0).all())


def _list_bits(synapses: Synapses) -> int:
    """Bits beside the weight of a listed synapse: its source, its delay beyond the shortest, its place in a kernel."""
    bits = max(1, (synapses.n_pre - 1).bit_length()) + (synapses.max_delay - synapses.min_delay).bit_length()
    return bits + ((synapses.weights.size - 1).bit_length() if synapses.weight_index is not None else 0)


def _lists(synapses: Synapses) -> tuple[Memory, Memory]:
    """Lists of inputs, and where the list of each output begins."""
    return (
        Memory("inputs", synapses.count, _list_bits(synapses), kind="weights"),
        Memory("lists", synapses.n_post + 1, max(1, synapses.count.bit_length()), kind="weights"),
    )


def _window_rows(synapses: Synapses) -> npt.NDArray[np.int64]:
    """Synapses of each source of a convolution."""
    window = synapses.geometry
    assert window is not None
    per_place = np.multiply.outer(np.diff(window.y.overlaps()[0]), np.diff(window.x.overlaps()[0])).ravel()
    return np.tile(per_place * (window.out_channels // window.groups), window.channels).astype(np.int64)

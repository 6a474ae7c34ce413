"""A vision transformer laid out as a pipeline: its operators, their choices, and the graph of one choice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import ceil, log2

from neuromorph.errors import MappingError

from ...constants import load_constants
from ..closed import arrivals
from ..design import PRODUCTS, Operator, Parallel, divisors
from ..graph import StageGraph
from ..stages.layout import Layout, Numbers, Stream
from . import blocks
from .shape import VisionTransformer


def _numbers() -> Numbers:
    return Numbers(load_constants("hgpipe_stages"))


@dataclass(frozen=True)
class TransformerDesign:
    """A vision transformer as HG-PIPE builds it: 2 blocks a layer, patch embedding and head, all weights on chip.

    Attributes
    ----------
    shape : VisionTransformer
    tile : int
        Rows in a token, the same for every operator but those of the head, which see one row.
    input_width : int, optional
        Values of a patch in a token at the input; by default as many as the patch embedding works on.
    residual_width : int, optional
        Channels in a token of the residual FIFOs; by default as many as the addition works on.
    output_width : int, optional
        Classes in a token at the output; by default as many as the head works on.
    regroup_width : int
        Values that the regrouping of K and V moves in a cycle, 1 in HG-PIPE: with them no interval is shorter than
        ``2 * tokens * head_channels / regroup_width`` cycles, whatever the parallelism of the operators.
    numbers : Numbers
        Lengths of pipelines, FIFO depths, tables.

    Raises
    ------
    MappingError
        A tile that does not divide the tokens, or a width that does not divide its channels.
    """

    shape: VisionTransformer
    tile: int = 1
    input_width: int | None = None
    residual_width: int | None = None
    output_width: int | None = None
    regroup_width: int = 1
    numbers: Numbers = field(default_factory=_numbers)

    def __post_init__(self) -> None:
        shape = self.shape
        for what, width, size in (
            ("tile", self.tile, shape.tokens),
            ("input_width", self.input_width, shape.patch_inputs),
            ("residual_width", self.residual_width, shape.channels),
            ("output_width", self.output_width, shape.classes),
            ("regroup_width", self.regroup_width, shape.head_channels),
        ):
            if width is not None and (width < 1 or size % width):
                raise MappingError(
                    f"{shape.name}: {what} {width} does not divide {size}; it can be {_listed(divisors(size))}",
                    name=shape.name,
                )

    @property
    def name(self) -> str:
        """The shape's name."""
        return self.shape.name

    @cached_property
    def operators(self) -> tuple[Operator, ...]:
        """All operators in the order of the data."""
        shape = self.shape
        bits, tokens, channels = shape.bits, shape.tokens, shape.channels
        found = [
            self._operator(
                "patch_embed.project", "matmul", tokens, shape.patch_inputs, channels, edge=True, out=bits.residual
            )
        ]
        for number in range(shape.blocks):
            found += self._attention(f"attn{number}", found[-1].output_bits)
            found += self._perceptron(f"mlp{number}", found[-1].output_bits)
        found.append(
            self._operator(
                "head.layernorm",
                "layernorm",
                1,
                channels,
                channels,
                passes=3,
                taken=found[-1].output_bits,
                out=bits.edge_activations,
            )
        )
        found.append(self._operator("head.classes", "matmul", 1, channels, shape.classes, edge=True))
        return tuple(found)

    def choices(self, operator: Operator) -> tuple[Parallel, ...]:
        """All parallelisms of an operator: divisors of its channels; where heads are split, of a head's channels."""
        tile = 1 if operator.block == "head" else self.tile
        split = operator.name.endswith(("q_requant", "k_requant", "v_requant", "a_requant"))
        inputs = divisors(self.shape.head_channels if split else operator.inputs)
        outputs = divisors(operator.outputs) if operator.kind in PRODUCTS else [1]
        return tuple(Parallel(tile, one, other) for one in inputs for other in outputs)

    def graph(self, parallel: Mapping[str, Parallel], depths: Mapping[str, int] | None = None) -> StageGraph:
        """Stages and FIFOs for one choice an operator.

        Parameters
        ----------
        parallel : mapping of str to Parallel
            One of :meth:`choices` for each operator, by its name.
        depths : mapping of str to int, optional
            Of FIFOs by name; the others have HG-PIPE's, scaled to the size of what they hold, and where one branch
            waits for another at least as much as comes in meanwhile.

        Raises
        ------
        MappingError
            An operator without a choice, a choice that its shape does not allow, or depths of a FIFO that is not
            there.
        """
        self._check(parallel)
        shape, layout = self.shape, Layout(self.numbers)
        plan = blocks.Plan(
            layout,
            {operator.name: operator for operator in self.operators},
            parallel,
            self._sums("patch_embed.sums", shape.patch_inputs, edge=True),
            shape.heads,
            self.residual_width,
            self.output_width,
            self.regroup_width,
        )
        width = self.input_width or parallel["patch_embed.project"].inputs
        source = Stream(
            "patch_embed.input", shape.tokens, shape.patch_inputs, self.tile, width, shape.bits.edge_activations
        )
        stream = blocks.patches(plan, layout.stream(source), "attn0.input")
        for number in range(shape.blocks):
            stream = blocks.attention(plan, f"attn{number}", stream, f"mlp{number}.input")
            last = number == shape.blocks - 1
            stream = blocks.perceptron(
                plan, f"mlp{number}", stream, "head.input" if last else f"attn{number + 1}.input"
            )
        blocks.head(plan, stream, "head.output")
        return self._deep(layout.graph(self.name), depths or {})

    def _deep(self, graph: StageGraph, depths: Mapping[str, int]) -> StageGraph:
        """The graph with those depths, and with FIFOs deep enough for branches that wait for others."""
        found: dict[str, int] = {}
        times = arrivals(graph)
        for block in dict.fromkeys(stage.block for stage in graph.stages if stage.block.startswith(("attn", "mlp"))):
            for name, tokens in blocks.needed(graph, block, self.shape.heads, times).items():
                found[name] = max(graph.fifo[name].depth, self.numbers.margin(tokens))
        return graph.with_depths(found | dict(depths))

    def _check(self, parallel: Mapping[str, Parallel]) -> None:
        known = {operator.name: operator for operator in self.operators}
        for name in parallel:
            if name not in known:
                raise MappingError(f"{self.name}: there is no operator {name!r}", name=name)
        for name, operator in known.items():
            if name not in parallel:
                raise MappingError(
                    f"{self.name}: operator {name!r} has no parallelism; give every operator one of its choices",
                    name=name,
                )
            if parallel[name] not in self.choices(operator):
                raise MappingError(
                    f"{self.name}: operator {name!r} of {operator.inputs} x {operator.outputs} channels cannot have "
                    f"{parallel[name]}; tokens are {1 if operator.block == 'head' else self.tile}, inputs and outputs "
                    "divide its channels (requantised rows: those of a head), see choices()",
                    name=name,
                )

    def _sums(self, name: str, inputs: int, *, edge: bool = False) -> int:
        """Bits of a sum of products: those that are known, or enough for any."""
        bits = self.shape.bits
        one = (
            bits.edge_weights + bits.edge_activations
            if edge
            else max(bits.weights, bits.activations) + bits.activations
        )
        return self.shape.output_bits.get(name, one + ceil(log2(inputs)))

    def _operator(
        self,
        name: str,
        kind: str,
        tokens: int,
        inputs: int,
        outputs: int,
        *,
        edge: bool = False,
        out: int | None = None,
        taken: int | None = None,
        passes: int = 1,
        copies: int = 1,
    ) -> Operator:
        bits = self.shape.bits
        given = self._sums(name, inputs, edge=edge) if out is None else self.shape.output_bits.get(name, out)
        return Operator(
            name,
            kind,
            tokens,
            inputs,
            outputs,
            passes,
            copies,
            taken or (bits.edge_activations if edge else bits.activations),
            bits.edge_weights if edge else bits.activations if kind == "dynamic_matmul" else bits.weights,
            given,
            name.split(".")[0],
        )

    def _attention(self, block: str, taken: int) -> list[Operator]:
        shape = self.shape
        bits, tokens, channels, own = shape.bits, shape.tokens, shape.channels, shape.head_channels
        values = bits.activations
        found = [
            self._operator(
                f"{block}.layernorm", "layernorm", tokens, channels, channels, taken=taken, out=values, passes=3
            )
        ]
        for one in "qkv":
            sums = self._operator(f"{block}.{one}", "matmul", tokens, channels, channels)
            found += [sums, self._lookup(f"{block}.{one}_requant", "requant", channels, sums.output_bits)]
        heads = shape.heads
        scores = self._operator(f"{block}.qk", "dynamic_matmul", tokens, own, tokens, copies=heads)
        softmax = self._operator(
            f"{block}.softmax",
            "softmax",
            tokens,
            tokens,
            tokens,
            taken=scores.output_bits,
            out=values,
            passes=3,
            copies=heads,
        )
        weighted = self._operator(f"{block}.rv", "dynamic_matmul", tokens, tokens, own, copies=heads)
        requant = self._lookup(f"{block}.a_requant", "requant", channels, weighted.output_bits)
        joined = self._operator(f"{block}.o", "matmul", tokens, channels, channels)
        return [*found, scores, softmax, weighted, requant, joined, self._residual(block, taken)]

    def _perceptron(self, block: str, taken: int) -> list[Operator]:
        shape = self.shape
        tokens, channels, hidden, values = shape.tokens, shape.channels, shape.hidden, shape.bits.activations
        first = self._operator(f"{block}.fc1", "matmul", tokens, channels, hidden)
        return [
            self._operator(
                f"{block}.layernorm", "layernorm", tokens, channels, channels, taken=taken, out=values, passes=3
            ),
            first,
            self._lookup(f"{block}.gelu", "gelu", hidden, first.output_bits),
            self._operator(f"{block}.fc2", "matmul", tokens, hidden, channels),
            self._residual(block, taken),
        ]

    def _lookup(self, name: str, kind: str, channels: int, taken: int) -> Operator:
        return self._operator(
            name, kind, self.shape.tokens, channels, channels, taken=taken, out=self.shape.bits.activations
        )

    def _residual(self, block: str, taken: int) -> Operator:
        shape = self.shape
        return self._operator(
            f"{block}.residual",
            "residual",
            shape.tokens,
            shape.channels,
            shape.channels,
            taken=taken,
            out=shape.bits.residual,
        )


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(str(one) for one in numbers)

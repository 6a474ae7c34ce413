"""The four blocks of a vision transformer as HG-PIPE lays them out: patch embedding, attention, perceptron, head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ..design import Operator, Parallel
from ..graph import Memory, StageGraph
from ..stages import pieces
from ..stages.layout import Layout, Owner, Stream


@dataclass(frozen=True, slots=True)
class Plan:
    """What a block needs to know of its design.

    Attributes
    ----------
    layout : Layout
    operators, parallel : mapping of str
        Operators and their parallelism, by name.
    patch_sum_bits : int
        Bits of the sums in the patch embedding, which are scaled before they leave.
    heads : int
    residual_width, output_width : int, optional
        Channels in a token of the residual FIFO, and of the head's output; as many as its operator works on by default.
    regroup_width : int
        Values that the regrouping of K and V moves in a cycle.
    """

    layout: Layout
    operators: Mapping[str, Operator]
    parallel: Mapping[str, Parallel]
    patch_sum_bits: int
    heads: int
    residual_width: int | None
    output_width: int | None
    regroup_width: int


def patches(plan: Plan, source: Stream, result: str) -> Stream:
    """Patches times their embedding, plus a position for each; the class token is written in place of the first row."""
    operator, layout = plan.operators["patch_embed.project"], plan.layout
    parallel = plan.parallel[operator.name]
    sums = plan.patch_sum_bits
    memories = (
        *_weights(operator, parallel, sums),
        Memory("positions", operator.tokens * operator.outputs, sums, parallel.tokens * parallel.outputs, "weights"),
    )
    return pieces.product(
        layout,
        operator,
        parallel,
        source,
        result,
        plan.parallel["attn0.layernorm"].inputs,
        prefix=operator.name,
        of="patches",
        adapted=2 * layout.numbers.depth("adapted"),
        memories=memories,
        between_blocks=True,
    )


def attention(plan: Plan, block: str, source: Stream, result: str) -> Stream:
    """LayerNorm, Q, K and V; for each head scores, softmax and the weighted sum of V; a product; the residual."""
    layout, numbers = plan.layout, plan.layout.numbers
    main, skip = _branch(plan, block, source, numbers.depth("residual_adapters"))
    norm = _layernorm(plan, f"{block}.layernorm", main, [f"{block}.{x}" for x in "qkv"])
    owner = Owner.of(plan.operators[f"{block}.layernorm"])
    copies = pieces.copy(layout, norm, {f"{block}.{x}.in": None for x in "qkv"}, f"{block}.layernorm.copy", owner)
    heads = {x: _projected(plan, f"{block}.{x}", copies["qkv".index(x)]) for x in "qkv"}
    attended = [
        _head(plan, block, head + 1, heads["q"][head], heads["k"][head], heads["v"][head]) for head in range(plan.heads)
    ]
    requant = plan.operators[f"{block}.a_requant"]
    merged = pieces.merge(layout, attended, f"{block}.a", f"{block}.merge", Owner.of(requant))
    rows = pieces.lookup(layout, requant, merged, numbers.table("requant_entries"))
    out = _weighted(plan, f"{block}.o", rows, plan.parallel[f"{block}.residual"].inputs)
    depth = numbers.share("residual", _residual(plan, block, skip).tokens)
    return _joined(plan, block, skip, out, result, depth, numbers.depth("residual_adapters"))


def perceptron(plan: Plan, block: str, source: Stream, result: str) -> Stream:
    """LayerNorm, a product, GeLU, a product, the residual."""
    layout, numbers = plan.layout, plan.layout.numbers
    main, skip = _branch(plan, block, source, None)
    norm = _layernorm(plan, f"{block}.layernorm", main, [f"{block}.fc1"])
    gelu = plan.operators[f"{block}.gelu"]
    hidden = _weighted(plan, f"{block}.fc1", norm, plan.parallel[gelu.name].inputs)
    rows = pieces.lookup(layout, gelu, hidden, numbers.table("gelu_entries"))
    out = _weighted(plan, f"{block}.fc2", rows, plan.parallel[f"{block}.residual"].inputs)
    depth = numbers.share("perceptron_rows", _residual(plan, block, skip).row_tokens)
    return _joined(plan, block, skip, out, result, depth, None)


def head(plan: Plan, source: Stream, result: str) -> Stream:
    """LayerNorm and a product of the class token alone."""
    layout = plan.layout
    norm, operator = plan.operators["head.layernorm"], plan.operators["head.classes"]
    owner = Owner.of(norm)
    token = pieces.select(layout, source, "head.token", "head.select", owner)
    token = pieces.matched(layout, token, plan.parallel[norm.name].inputs, owner)
    parallel = plan.parallel[operator.name]
    return pieces.product(
        layout,
        operator,
        parallel,
        _layernorm(plan, norm.name, token, [operator.name]),
        result,
        plan.output_width or parallel.outputs,
        prefix=operator.name,
        of="classes",
        memories=_weights(operator, parallel, operator.output_bits),
    )


def _weights(operator: Operator, parallel: Parallel, sums: int) -> tuple[Memory, ...]:
    lanes = parallel.inputs * parallel.outputs
    return (
        Memory("weights", operator.inputs * operator.outputs, operator.weight_bits, lanes, "weights"),
        Memory("bias", operator.outputs, sums, parallel.outputs, "weights"),
    )


def _branch(plan: Plan, block: str, source: Stream, depth: int | None) -> list[Stream]:
    """The main branch, and the one past it.

    The main FIFO holds a tile of rows where they come in slower than the first pass of the LayerNorm could take them.
    """
    owner = Owner.of(plan.operators[f"{block}.residual"])
    taken = pieces.matched(plan.layout, source, plan.parallel[f"{block}.layernorm"].inputs, owner)
    narrower = source.width < taken.width
    tile = max(plan.layout.numbers.depth("other"), taken.row_tokens) if narrower else None
    names = {f"{block}.main": tile, f"{block}.residual.in": depth}
    return pieces.copy(plan.layout, taken, names, f"{block}.copy", owner)


def _residual(plan: Plan, block: str, skip: Stream) -> Stream:
    width = plan.residual_width or plan.parallel[f"{block}.residual"].inputs
    return replace(skip, name=f"{block}.residual", width=width)


def _joined(plan: Plan, block: str, skip: Stream, main: Stream, result: str, depth: int, adapted: int | None) -> Stream:
    """The main branch, and what came past it, rescaled."""
    layout = plan.layout
    operator = plan.operators[f"{block}.residual"]
    owner, held = Owner.of(operator), _residual(plan, block, skip)
    kept = pieces.adapt(layout, skip, held.width, held.name, f"{held.name}.in", owner, depth=depth)
    width = plan.parallel[operator.name].inputs
    out = pieces.adapt(layout, kept, width, f"{held.name}.out", f"{held.name}.out", owner, depth=adapted)
    return pieces.add(layout, operator, out, main, result)


def _layernorm(plan: Plan, name: str, source: Stream, readers: Sequence[str]) -> Stream:
    """LayerNorm; its FIFO holds a tile of rows where a reader takes it in slower than the last pass gives it out."""
    operator, parallel, table = plan.operators[name], plan.parallel[name], plan.layout.numbers.table
    channels = operator.inputs
    lanes = source.tile * source.width
    memories = (
        Memory("row", source.tile * channels, source.bits, lanes),
        Memory("table", table("layernorm_entries"), table("layernorm_bits"), source.tile, "table"),
        Memory("scales", channels, table("layernorm_scale_bits"), parallel.inputs, "weights"),
        Memory("offsets", channels, table("layernorm_offset_bits"), parallel.inputs, "weights"),
    )
    slower = any(plan.parallel[reader].inputs < source.width for reader in readers)
    depth = max(plan.layout.numbers.depth("other"), source.row_tokens) if slower else None
    return pieces.three_passes(plan.layout, operator, source, name, depth=depth, memories=memories, prefix=name)


def _weighted(plan: Plan, name: str, source: Stream, width: int) -> Stream:
    """A product with weights on chip inside a block."""
    operator, parallel = plan.operators[name], plan.parallel[name]
    return pieces.product(
        plan.layout,
        operator,
        parallel,
        source,
        name,
        width,
        prefix=name,
        adapted=plan.layout.numbers.depth("adapted"),
        memories=_weights(operator, parallel, operator.output_bits),
    )


def _projected(plan: Plan, name: str, source: Stream) -> list[Stream]:
    """Q, K or V, requantised and split into its heads."""
    layout, numbers = plan.layout, plan.layout.numbers
    requant = plan.operators[f"{name}_requant"]
    sums = _weighted(plan, name, source, plan.parallel[requant.name].inputs)
    rows = pieces.lookup(layout, requant, sums, numbers.table("requant_entries"))
    depth = numbers.depth("heads")
    if name.endswith(".q"):
        depth = numbers.share("query", rows.tokens // plan.heads)
    names = [f"{name}.head{number + 1}" for number in range(plan.heads)]
    return pieces.split(layout, rows, names, f"{name}.split", Owner.of(requant), depth)


def _head(plan: Plan, block: str, number: int, query: Stream, key: Stream, value: Stream) -> Stream:
    """Scores, softmax and weighted sum of one head: K regrouped, V transposed, both cached whole."""
    layout, numbers = plan.layout, plan.layout.numbers
    scores, softmax, sums = (plan.operators[f"{block}.{part}"] for part in ("qk", "softmax", "rv"))
    place = f"head{number}"

    def matrix(source: Stream, operator: Operator, tile: int, width: int, name: str) -> Stream:
        depth = numbers.share("regrouped", source.tile * source.width * source.tokens // (tile * width))
        return pieces.regroup(
            layout,
            source,
            tile,
            width,
            plan.regroup_width,
            f"{block}.{name}.{place}.regrouped",
            Owner.of(operator),
            depth,
        )

    at = plan.parallel[scores.name]
    keys = matrix(key, scores, at.outputs, at.inputs, "k")
    row_width = plan.parallel[softmax.name].inputs
    row = numbers.share("rows", softmax.inputs // row_width)
    score = pieces.product(
        layout,
        scores,
        at,
        query,
        f"{scores.name}.{place}",
        row_width,
        prefix=f"{scores.name}.{place}",
        of="dynamic",
        adapted=numbers.depth("adapted"),
        depth=row,
        matrix=keys,
    )
    name = f"{softmax.name}.{place}"
    relation = pieces.three_passes(
        layout, softmax, score, name, depth=row, memories=_softmax_memories(plan, score), prefix=name
    )
    at = plan.parallel[sums.name]
    return pieces.product(
        layout,
        sums,
        at,
        relation,
        f"{sums.name}.{place}",
        plan.parallel[f"{block}.a_requant"].inputs,
        prefix=f"{sums.name}.{place}",
        of="dynamic",
        adapted=numbers.depth("adapted"),
        depth=numbers.depth("heads"),
        matrix=matrix(value, sums, at.inputs, at.outputs, "v"),
    )


def _softmax_memories(plan: Plan, score: Stream) -> tuple[Memory, ...]:
    table = plan.layout.numbers.table
    lanes, row = score.tile * score.width, score.tile * score.channels
    return (
        Memory("row", row, score.bits, lanes),
        Memory("exponentials", row, table("exponential_bits"), lanes),
        Memory("exponential", table("exponential_entries"), table("exponential_bits"), lanes, "table"),
        Memory("reciprocal", table("reciprocal_entries"), table("reciprocal_bits"), score.tile, "table"),
    )


def needed(graph: StageGraph, block: str, heads: int, times: Mapping[str, tuple[int, int]]) -> dict[str, float]:
    """Tokens that the deep FIFOs of a block hold while one branch waits for the other, at the pipeline's interval.

    Parameters
    ----------
    graph : StageGraph
    block : str
        "attn0", "mlp3", ...
    heads : int
    times : mapping
        What :func:`~neuromorph.mapping.pipeline.closed.arrivals` found.
    """
    interval = max(stage.trips for stage in graph.stages)

    def share(early: str, late: str) -> float:
        return max(0, times[late][0] - times[early][0]) / interval

    held = {f"{block}.residual": share(f"{block}.residual.out", graph.stage[f"{block}.residual"].inputs[1])}
    for place in (f"head{number + 1}" for number in range(heads if block.startswith("attn") else 0)):
        scores, sums = f"{block}.qk.{place}", f"{block}.rv.{place}"
        held[f"{block}.q.{place}"] = share(f"{scores}.window", f"{scores}.weights")
        # the next item's K or V, whole, and what comes until the cache has been played to its end
        held[f"{block}.k.{place}.regrouped"] = 1 + share(f"{scores}.weights", f"{scores}.window")
        held[f"{block}.v.{place}.regrouped"] = 1 + share(f"{sums}.weights", f"{sums}.window")
        for matrix in "kv":
            # what comes while the regrouping buffer is being emptied, less what the product may fall behind
            turns = graph.stage[f"{block}.{matrix}.{place}.regrouped.reorder"].loops
            emptied = sum(turn.trips for turn in turns[1::2])
            idle = interval - graph.stage[f"{block}.{matrix}.multiply"].trips
            held[f"{block}.{matrix}.{place}"] = max(0, emptied - idle) / (len(turns) // 2) / interval
    return {name: part * graph.tokens(name) for name, part in held.items()}

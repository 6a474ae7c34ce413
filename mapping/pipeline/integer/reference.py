"""Each operator as a few lines of Python on one value or row, with integers of any size: what the arrays must equal."""

from __future__ import annotations

from collections.abc import Sequence

from .network import Attention, IntegerTransformer, Mlp
from .operators import DynamicMatmul, Matmul, PatchEmbedding, Requant, Residual
from .rows import LayerNorm, Softmax


def clamp(value: int, low: int, high: int) -> int:
    """``value``, or the end of the range that it is beyond."""
    return min(max(value, low), high)


def requant(operator: Requant, value: int) -> int:
    """One value through a table; also of GeLU."""
    index = clamp((value + operator.offset) >> operator.shift, 0, len(operator.table) - 1)
    return int(operator.table[index])


def residual(operator: Residual, carried: int, main: int) -> int:
    """One value that went round and one that did not."""
    return main + ((carried * operator.multiplier + (1 << (operator.shift - 1))) >> operator.shift)


def matmul(operator: Matmul, row: Sequence[int]) -> list[int]:
    """One row times all weights."""
    return [
        sum(int(weight) * value for weight, value in zip(weights, row, strict=True)) + int(bias)
        for weights, bias in zip(operator.weight, operator.bias, strict=True)
    ]


def dynamic_matmul(operator: DynamicMatmul, row: Sequence[int], right: Sequence[Sequence[int]]) -> list[int]:
    """One row of the left operand times all rows of the right one."""
    return [sum(one * other for one, other in zip(row, column, strict=True)) for column in right]


def patch_embedding(operator: PatchEmbedding, patches: Sequence[Sequence[int]]) -> list[list[int]]:
    """All tokens of an image."""
    half = 1 << (operator.shift - 1)
    tokens = [[(int(value) + half) >> operator.shift for value in operator.class_token]]
    rows = patches if operator.extra else patches[1:]
    for row, bias in zip(rows, operator.bias[1:], strict=True):
        sums = matmul(operator.matmul, row)
        tokens.append([(value + int(more) + half) >> operator.shift for value, more in zip(sums, bias, strict=True)])
    return tokens


def layer_norm(operator: LayerNorm, row: Sequence[int]) -> list[int]:
    """One row of channels."""
    mean = (sum(row) * operator.mean_multiplier + (1 << (operator.mean_shift - 1))) >> operator.mean_shift
    difference = [value - mean for value in row]
    variance = sum(value * value for value in difference)
    root = int(operator.table[clamp((variance + operator.offset) >> operator.shift, 0, len(operator.table) - 1)])
    return [
        clamp(
            (value * root * int(weight) + int(bias)) >> operator.output_shift, operator.output.low, operator.output.high
        )
        for value, weight, bias in zip(difference, operator.weight, operator.bias, strict=True)
    ]


def softmax(operator: Softmax, row: Sequence[int]) -> list[int]:
    """One row of scores."""
    exponential = operator.exponential
    largest = max(row)
    powers = []
    for value in row:
        distance = {"maximum": largest - value, "minimum": value - largest, "zero": value}[exponential.anchor]
        index = clamp((distance + exponential.offset) >> exponential.shift, 0, len(exponential.table) - 1)
        powers.append(int(exponential.table[index]))
    total = sum(powers)
    for segment in operator.segments:
        index = (total + segment.offset) >> segment.shift
        if index < len(segment.table):
            break
    root = int(segment.table[clamp(index, 0, len(segment.table) - 1)])
    return [clamp((power * root + segment.half) >> segment.output_shift, 0, operator.output.high) for power in powers]


def attention(block: Attention, tokens: Sequence[Sequence[int]]) -> list[list[int]]:
    """All tokens of an image through an attention block."""
    rows = [layer_norm(block.norm, token) for token in tokens]
    parts = {
        part: [[requant(block.requant[part], value) for value in matmul(layer, row)] for row in rows]
        for part, layer in (("q", block.q), ("k", block.k), ("v", block.v))
    }
    size = len(tokens[0]) // block.heads
    mixed: list[list[int]] = [[] for _ in tokens]
    for head in range(block.heads):
        q, k, v = ([row[head * size : (head + 1) * size] for row in parts[part]] for part in ("q", "k", "v"))
        columns = [[row[channel] for row in v] for channel in range(size)]
        for position, query in enumerate(q):
            weights = softmax(block.softmax, dynamic_matmul(block.qk, query, k))
            mixed[position] += dynamic_matmul(block.rv, weights, columns)
    found = []
    for token, row in zip(tokens, mixed, strict=True):
        main = matmul(block.o, [requant(block.requant["a"], value) for value in row])
        found.append([residual(block.residual, one, other) for one, other in zip(token, main, strict=True)])
    return found


def mlp(block: Mlp, tokens: Sequence[Sequence[int]]) -> list[list[int]]:
    """All tokens of an image through a perceptron block."""
    found = []
    for token in tokens:
        hidden = [requant(block.gelu, value) for value in matmul(block.fc1, layer_norm(block.norm, token))]
        main = matmul(block.fc2, hidden)
        found.append([residual(block.residual, one, other) for one, other in zip(token, main, strict=True)])
    return found


def transformer(network: IntegerTransformer, patches: Sequence[Sequence[int]]) -> list[int]:
    """Logits of one image."""
    tokens = patch_embedding(network.patch_embed, patches)
    for first, second in network.blocks:
        tokens = mlp(second, attention(first, tokens))
    return matmul(network.head, layer_norm(network.norm, tokens[0]))

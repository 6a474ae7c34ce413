"""From a float transformer and sample images to one in integers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import ceil, log2, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuromorph.progress import Progress, progress_for

from . import calibrate, calibrate_rows
from .float_model import checked_patches
from .network import Attention, IntegerTransformer, Mlp
from .operators import DynamicMatmul, Matmul, PatchEmbedding, Requant, Residual
from .parameters import BlockParameters, ClassToken, Linear, TransformerParameters, from_state
from .recipe import Recipe
from .rows import LayerNorm
from .scales import activation_scales, least_squares_scale, quantise
from .words import Integers, Width


def from_float(
    state: Mapping[str, Any],
    patches: NDArray[Any],
    *,
    heads: int,
    bits: int = 3,
    token: ClassToken = "extra",
    progress: bool | Progress = False,
    **choices: Any,
) -> IntegerTransformer:
    """An integer transformer from a state of float arrays and sample images.

    Parameters
    ----------
    state : mapping of str to array
        See :func:`~.parameters.from_state`. Scales that it does not have are chosen by least squared error.
    patches : ndarray, shape (images, patches, inputs)
        Of real values; 16 to 64 images are enough for a network of DeiT's size.
    heads : int
    bits : int
        Of weights and activations in the blocks.
    token : {"extra", "overwrite"}
    progress : bool or Progress
    choices
        Other fields of :class:`Recipe`.
    """
    return calibrated(from_state(state, heads, token=token), patches, Recipe(bits=bits, **choices), progress=progress)


def calibrated(
    parameters: TransformerParameters,
    patches: NDArray[Any],
    recipe: Recipe | None = None,
    *,
    progress: bool | Progress = False,
) -> IntegerTransformer:
    """An integer transformer whose operators are calibrated one after the other, each on what those before it give.

    Words are wide enough for every input that the words before them can hold. The residual stream alone is as wide as
    the sample images ask for, with headroom: an image that outgrows it raises an error that names it.

    Parameters
    ----------
    parameters : TransformerParameters
    patches : ndarray of float, shape (images, patches, inputs)
    recipe : Recipe, optional
    progress : bool or Progress
    """
    recipe = recipe or Recipe()
    images = checked_patches(parameters, patches)
    with progress_for(progress) as shown:
        shown.stage("integer transformer: scales")
        scales, zeros = activation_scales(parameters, images, recipe)
        shown.stage("integer transformer: tables", len(parameters.blocks))
        embedding, unit = _embedding(parameters, images, recipe, scales)
        units = {"patch_embed.project": unit}
        word = Width(recipe.edge_bits, parameters.input_signed)
        values = embedding.apply(quantise(images, scales["input"], word))
        width = embedding.output
        blocks = []
        for number, block in enumerate(parameters.blocks):
            build = _Block(number, block, zeros[number], parameters, recipe, scales)
            attention, values, unit = build.attention(values, width, unit)
            mlp, values, unit = build.mlp(values, attention.residual.output, unit)
            width = mlp.residual.output
            blocks.append((attention, mlp))
            units |= build.units
            shown.advance()
    edge = Width(recipe.edge_bits)
    norm = calibrate_rows.layer_norm(
        values[:, 0],
        unit,
        parameters.norm,
        scales["norm"],
        input=width,
        output=edge,
        epsilon=parameters.epsilon,
        entries=recipe.table("rsqrt"),
        table_bits=recipe.content("rsqrt"),
        name="head.layernorm",
    )
    head, logit = _matmul(parameters.head, scales["norm"], edge, edge, "head.classes")
    units |= {"head.layernorm": scales["norm"], "head.classes": logit}
    codes = {f"mlp{number}.gelu": zero for number, zero in enumerate(zeros) if zero}
    return IntegerTransformer(embedding, tuple(blocks), norm, head, scales["input"], units, codes)


class _Block:
    """Builds one block; ``unit`` is everywhere the scale of the residual stream."""

    def __init__(
        self,
        number: int,
        block: BlockParameters,
        zero: int,
        parameters: TransformerParameters,
        recipe: Recipe,
        scales: Mapping[str, float],
    ) -> None:
        self.block, self.zero, self.parameters, self.recipe = block, zero, parameters, recipe
        self.attn, self.mlp_ = f"attn{number}", f"mlp{number}"
        self.scales = {
            name.split(".")[1]: scale for name, scale in scales.items() if name.startswith(f"block{number}.")
        }
        self.signed, self.unsigned = Width(recipe.bits), Width(recipe.bits, signed=False)
        self.units: dict[str, float] = {}

    def attention(self, values: Integers, width: Width, unit: float) -> tuple[Attention, Integers, float]:
        recipe, heads = self.recipe, self.parameters.heads
        norm = self._norm(values, width, unit, "norm1", self.attn)
        normed = norm.apply(values)
        matmul, requant, split = {}, {}, {}
        for part in ("q", "k", "v"):
            matmul[part], scale = self._weights(part, "norm1", self.signed, self.attn)
            sums = matmul[part].apply(normed)
            requant[part] = self._requant(sums, scale, part, matmul[part].output)
            split[part] = _split(requant[part].apply(sums), heads)
            self.units |= {f"{self.attn}.{part}": scale, f"{self.attn}.{part}_requant": self.scales[part]}
        qk = _dynamic(split["q"].shape[-1], self.signed, self.signed, f"{self.attn}.qk")
        relation = qk.apply(split["q"], split["k"])
        scores = self.scales["q"] * self.scales["k"] / sqrt(qk.inputs)
        softmax = calibrate_rows.softmax(
            relation,
            scores,
            self.scales["softmax"],
            input=qk.output,
            output=self.unsigned,
            anchor=recipe.anchor,
            segments=recipe.segments,
            exponents=recipe.table("exp"),
            reciprocals=recipe.table("recip"),
            exponent_bits=recipe.content("exp"),
            reciprocal_bits=recipe.content("recip"),
            name=f"{self.attn}.softmax",
        )
        rv = _dynamic(values.shape[1], self.unsigned, self.signed, f"{self.attn}.rv")
        mixed = rv.apply(softmax.apply(relation), split["v"].swapaxes(-1, -2))
        mixed = mixed.swapaxes(1, 2).reshape(values.shape)
        mean = self.scales["softmax"] * self.scales["v"]
        requant["a"] = self._requant(mixed, mean, "a", rv.output)
        o, scale = self._weights("o", "a", self.signed, self.attn)
        residual, total = self._residual(unit / scale, values, width, o, requant["a"].apply(mixed), self.attn)
        own = {"layernorm": self.scales["norm1"], "qk": scores, "softmax": self.scales["softmax"], "rv": mean}
        own |= {"a_requant": self.scales["a"], "o": scale, "residual": scale}
        self.units |= {f"{self.attn}.{part}": value for part, value in own.items()}
        made = Attention(norm, matmul["q"], matmul["k"], matmul["v"], requant, qk, softmax, rv, o, residual, heads)
        return made, total, scale

    def mlp(self, values: Integers, width: Width, unit: float) -> tuple[Mlp, Integers, float]:
        norm = self._norm(values, width, unit, "norm2", self.mlp_)
        fc1, first = self._weights("fc1", "norm2", self.signed, self.mlp_)
        sums = fc1.apply(norm.apply(values))
        gelu = calibrate.gelu_requant(
            sums,
            first,
            self.scales["gelu"],
            input=fc1.output,
            output=self.unsigned,
            zero=self.zero,
            entries=self.recipe.table("gelu"),
            ranges=self.recipe.gelu,
            name=f"{self.mlp_}.gelu",
        )
        fc2, scale = self._weights("fc2", "gelu", self.unsigned, self.mlp_, self.zero)
        residual, total = self._residual(unit / scale, values, width, fc2, gelu.apply(sums), self.mlp_)
        own = {"layernorm": self.scales["norm2"], "fc1": first, "gelu": self.scales["gelu"]}
        own |= {"fc2": scale, "residual": scale}
        self.units |= {f"{self.mlp_}.{part}": value for part, value in own.items()}
        return Mlp(norm, fc1, gelu, fc2, residual), total, scale

    def _residual(
        self, ratio: float, values: Integers, width: Width, last: Matmul, codes: Integers, name: str
    ) -> tuple[Residual, Integers]:
        residual = calibrate.residual(ratio, carried=width, main=last.output, name=f"{name}.residual")
        total = residual.apply(values, last.apply(codes))
        reach = int(np.abs(total).max()) << self.recipe.headroom
        if reach < residual.output.magnitude:
            residual = replace(residual, output=Width.of(-reach - 1, reach))
        return residual, total

    def _norm(self, values: Integers, width: Width, unit: float, part: str, name: str) -> LayerNorm:
        return calibrate_rows.layer_norm(
            values,
            unit,
            self.block.norm1 if part == "norm1" else self.block.norm2,
            self.scales[part],
            input=width,
            output=self.signed,
            epsilon=self.parameters.epsilon,
            entries=self.recipe.table("rsqrt"),
            table_bits=self.recipe.content("rsqrt"),
            name=f"{name}.layernorm",
        )

    def _requant(self, sums: Integers, scale: float, part: str, width: Width) -> Requant:
        return calibrate.requant(
            sums,
            scale / self.scales[part],
            input=width,
            output=self.signed,
            entries=self.recipe.table("requant"),
            ranges=self.recipe.requant,
            name=f"{self.attn}.{part}_requant",
        )

    def _weights(self, part: str, source: str, taken: Width, name: str, zero: int = 0) -> tuple[Matmul, float]:
        return _matmul(self.block.linear[part], self.scales[source], taken, self.signed, f"{name}.{part}", zero)


def _matmul(layer: Linear, scale: float, taken: Width, kept: Width, name: str, zero: int = 0) -> tuple[Matmul, float]:
    """A layer in integers and the scale of its sums; ``zero`` is the code that stands for 0 in its input."""
    own = layer.scale or least_squares_scale(layer.weight, kept, owner=f"{name}: weight")
    weight = quantise(layer.weight, own, kept).astype(np.int64)
    bias = np.rint(layer.bias / (scale * own)).astype(np.int64) - zero * weight.sum(1)
    low, high = _reach(weight, taken)
    output = Width.of(int(min((low + bias).min(), bias.min(), -1)), int(max((high + bias).max(), bias.max())))
    return Matmul(weight, bias, taken, kept, output, name), scale * own


def _reach(weight: NDArray[np.int64], taken: Width) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Smallest and largest sum of each output, without a bias."""
    above, below = np.maximum(weight, 0).sum(1), np.minimum(weight, 0).sum(1)
    return above * taken.low + below * taken.high, above * taken.high + below * taken.low


def _dynamic(inputs: int, left: Width, right: Width, name: str) -> DynamicMatmul:
    ends = [inputs * one * other for one in (left.low, left.high) for other in (right.low, right.high)]
    return DynamicMatmul(inputs, left, right, Width.of(min(ends), max(ends)), name)


def _split(values: Integers, heads: int) -> Integers:
    images, tokens, channels = values.shape
    return values.reshape(images, tokens, heads, channels // heads).swapaxes(1, 2)


def _embedding(
    parameters: TransformerParameters, images: NDArray[np.float64], recipe: Recipe, scales: Mapping[str, float]
) -> tuple[PatchEmbedding, float]:
    """The patch embedding and the scale of its tokens, which fill half of their word on the sample images."""
    taken, kept = Width(recipe.edge_bits, parameters.input_signed), Width(recipe.edge_bits)
    layer = Linear(parameters.patch.weight, np.zeros(parameters.channels), parameters.patch.scale)
    bare, unit = _matmul(layer, scales["input"], taken, kept, "patch_embed.project")
    bias = np.rint((parameters.patch.bias + parameters.position) / unit).astype(np.int64)
    token = np.rint((parameters.class_token + parameters.position[0]) / unit).astype(np.int64)
    bias[0] = token
    low, high = _reach(bare.weight, taken)
    ends = int(min((bias + low).min(), bias.min(), -1)), int(max((bias + high).max(), bias.max()))
    matmul = Matmul(bare.weight, bare.bias, taken, kept, Width.of(*ends), "patch_embed.project")
    sums = matmul.apply(quantise(images[:, parameters.token == "overwrite" :], scales["input"], taken)) + bias[1:]
    largest = max(int(np.abs(sums).max()), int(np.abs(token).max()), 1)
    shift = max(1, ceil(log2(largest / (1 << (recipe.residual_bits - 2)))))
    half = 1 << (shift - 1)
    output = Width.of((ends[0] + half) >> shift, (ends[1] + half) >> shift)
    extra = parameters.token == "extra"
    return PatchEmbedding(matmul, bias, token, shift, output, extra), unit * 2.0**shift

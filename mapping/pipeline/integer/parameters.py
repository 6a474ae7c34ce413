"""A vision transformer in float, as plain arrays by name: what calibration begins from and what training exports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from neuromorph.errors import MappingError

from .words import real_values

Floats = NDArray[np.float64]

ClassToken = Literal["overwrite", "extra"]
"""``"overwrite"``: the class token takes the place of patch 0, which is lost; ``"extra"``: it comes before patch 0."""

POINTS = ("norm1", "q", "k", "v", "softmax", "a", "norm2", "gelu")
"""Activations of a block that are kept in few bits, in the order in which they appear."""

UNSIGNED = frozenset({"softmax", "gelu"})
"""Points whose codes are 0 .. 2^bits - 1; those of all others are -2^(bits - 1) .. 2^(bits - 1) - 1."""

LINEAR = ("q", "k", "v", "o", "fc1", "fc2")
"""Products of a block with weights."""


@dataclass(frozen=True, eq=False)
class Linear:
    """``y = x @ weight.T + bias``.

    Attributes
    ----------
    weight : ndarray of float64, shape (outputs, inputs)
    bias : ndarray of float64, shape (outputs,)
    scale : float, optional
        Of the quantised weight, which is ``scale * clamp(round(weight / scale))``; chosen from the weights if None.
    """

    weight: Floats
    bias: Floats
    scale: float | None = None


@dataclass(frozen=True, eq=False)
class Norm:
    """``y = (x - mean) / sqrt(variance + epsilon) * weight + bias`` over the channels of a token.

    Attributes
    ----------
    weight, bias : ndarray of float64, shape (channels,)
    """

    weight: Floats
    bias: Floats


@dataclass(frozen=True, eq=False)
class BlockParameters:
    """One encoder block: ``x = x + o(attention(norm1(x)))``, then ``x = x + fc2(gelu(fc1(norm2(x))))``.

    Attributes
    ----------
    norm1, norm2 : Norm
    linear : mapping of str to Linear
        By the names of `LINEAR`: ``q``, ``k``, ``v``, ``o`` of (channels, channels), ``fc1`` of (hidden, channels),
        ``fc2`` of (channels, hidden). Head h has channels ``h * channels / heads`` and on, of q, k and v alike.
    scales : mapping of str to float
        Of the quantised activations, by the names of `POINTS`; those that are absent are chosen from data.
    gelu_zero : int
        Code that stands for 0 after GeLU, so that its negative part has codes below: ``scale * (code - gelu_zero)``.
    """

    norm1: Norm
    norm2: Norm
    linear: Mapping[str, Linear]
    scales: Mapping[str, float] = field(default_factory=dict)
    gelu_zero: int = 0


@dataclass(frozen=True, eq=False, repr=False)
class TransformerParameters:
    """A vision transformer in float, with the scales of a quantised one where training has found them.

    Attributes
    ----------
    patch : Linear
        (channels, patch inputs); a patch is given as a row of values.
    position : ndarray of float64, shape (tokens, channels)
        Added to the tokens, the class token's included.
    class_token : ndarray of float64, shape (channels,)
    blocks : tuple of BlockParameters
    norm : Norm
        Before the head.
    head : Linear
        (classes, channels), of the class token.
    heads : int
    token : {"extra", "overwrite"}
        Where the class token goes, see `ClassToken`.
    input_scale, norm_scale : float, optional
        Of the quantised patches, and of what goes into the head (both at the bits of the edge, 8).
    epsilon : float
        Of every norm.
    input_signed : bool
        Whether the codes of the patches have a sign.
    """

    patch: Linear
    position: Floats
    class_token: Floats
    blocks: tuple[BlockParameters, ...]
    norm: Norm
    head: Linear
    heads: int
    token: ClassToken = "extra"
    input_scale: float | None = None
    norm_scale: float | None = None
    epsilon: float = 1e-6
    input_signed: bool = True

    @property
    def channels(self) -> int:
        return len(self.class_token)

    @property
    def tokens(self) -> int:
        """Rows of the activations, the class token's included."""
        return len(self.position)

    @property
    def hidden(self) -> int:
        return len(self.blocks[0].linear["fc1"].bias)

    @property
    def classes(self) -> int:
        return len(self.head.bias)

    def __repr__(self) -> str:
        return (
            f"<TransformerParameters: {self.tokens} tokens of {self.channels} channels, {self.heads} heads, "
            f"{len(self.blocks)} blocks, {self.classes} classes>"
        )


def from_state(state: Mapping[str, Any], heads: int, *, token: ClassToken = "extra") -> TransformerParameters:
    """Parameters from arrays by name.

    Parameters
    ----------
    state : mapping of str to array
        ``patch.weight`` (channels, patch inputs), ``patch.bias`` (channels,), ``position`` (tokens, channels),
        ``class_token`` (channels,), ``norm.weight``, ``norm.bias`` (channels,), ``head.weight`` (classes, channels),
        ``head.bias`` (classes,); of each block i from 0: ``block{i}.norm1.weight``, ``.bias`` and ``block{i}.norm2``
        alike, ``block{i}.{q,k,v,o}.weight`` (channels, channels) and ``.bias``, ``block{i}.fc1.weight``
        (hidden, channels) and ``.bias``, ``block{i}.fc2.weight`` (channels, hidden) and ``.bias``.

        Optional scalars of a network that was trained in few bits, each scale per tensor, above 0:

        ========================================  ======================================================================
        ``{patch,head}.weight_scale``             of a weight at the edge's bits (8), signed
        ``block{i}.{q,k,v,o,fc1,fc2}.weight_scale``  of a weight at the block's bits, signed
        ``input.scale``, ``norm.scale``           of the patches, of the class token after ``norm``: edge's bits, signed
        ``block{i}.{norm1,q,k,v,a,norm2}.scale``  of an activation, signed; ``a`` is what ``o`` takes
        ``block{i}.{softmax,gelu}.scale``         of an activation, unsigned
        ``block{i}.gelu.zero``                    code of 0 after GeLU, an integer, 0 if absent
        ``input.signed``                          0 if patches have codes 0 .. 255 instead of a sign; 1 if absent
        ``epsilon``                               of every norm, 1e-6 if absent
        ========================================  ======================================================================

        A signed value is ``scale * clamp(round(x / scale), -2^(bits - 1), 2^(bits - 1) - 1)``, an unsigned one
        ``scale * (clamp(round(x / scale) + zero, 0, 2^bits - 1) - zero)``. All else stays in float when training:
        biases, positions, the residual stream, products before they are quantised (q is not scaled: softmax takes
        ``q @ k.T / sqrt(channels / heads)``).
    heads : int
    token : {"extra", "overwrite"}

    Raises
    ------
    MappingError
        A name that is missing or not known, an array of another shape or with values that are not finite.
    """
    state = dict(state)
    taken: set[str] = set()

    def array(name: str, *shape: int | None) -> Floats:
        if name not in state:
            raise MappingError(f"transformer's state: {name!r} is missing", name=name)
        taken.add(name)
        found = real_values(state[name], f"transformer's state: {name!r}")
        if found.ndim != len(shape) or any(w is not None and w != f for w, f in zip(shape, found.shape, strict=True)):
            wanted = tuple("any" if size is None else size for size in shape)
            raise MappingError(f"transformer's state: {name!r} has shape {found.shape}, expected {wanted}", name=name)
        return found

    def scalar(name: str) -> float | None:
        if name not in state:
            return None
        taken.add(name)
        found = real_values(state[name], f"transformer's state: {name!r}")
        if found.size != 1:
            raise MappingError(f"transformer's state: {name!r} has shape {found.shape}, expected one number", name=name)
        value = float(found.item())
        if not (value > 0 or name.endswith((".zero", ".signed"))):
            raise MappingError(f"transformer's state: {name!r} is {value}, expected a number above 0", name=name)
        return value

    def linear(name: str, outputs: int | None, inputs: int | None) -> Linear:
        weight = array(f"{name}.weight", outputs, inputs)
        return Linear(weight, array(f"{name}.bias", len(weight)), scalar(f"{name}.weight_scale"))

    channels = len(array("class_token", None))
    if not isinstance(heads, int | np.integer) or heads < 1 or channels % heads:
        raise MappingError(f"transformer's state: {channels} channels cannot be cut into {heads!r} heads", heads=heads)
    if token not in ("extra", "overwrite"):
        raise MappingError(f"transformer's state: class token {token!r}; it is 'extra' or 'overwrite'", token=token)

    def norm(name: str) -> Norm:
        return Norm(array(f"{name}.weight", channels), array(f"{name}.bias", channels))

    blocks: list[BlockParameters] = []
    while any(name.startswith(f"block{len(blocks)}.") for name in state):
        name = f"block{len(blocks)}"
        fc1 = linear(f"{name}.fc1", None, channels)
        products = {part: linear(f"{name}.{part}", channels, channels) for part in ("q", "k", "v", "o")}
        products |= {"fc1": fc1, "fc2": linear(f"{name}.fc2", channels, len(fc1.bias))}
        scales = {point: scalar(f"{name}.{point}.scale") for point in POINTS}
        blocks.append(
            BlockParameters(
                norm1=norm(f"{name}.norm1"),
                norm2=norm(f"{name}.norm2"),
                linear=products,
                scales={point: scale for point, scale in scales.items() if scale is not None},
                gelu_zero=round(scalar(f"{name}.gelu.zero") or 0),
            )
        )
    if not blocks:
        raise MappingError("transformer's state: no block ('block0.norm1.weight' and so on)", name="block0")
    epsilon = scalar("epsilon")
    made = TransformerParameters(
        patch=linear("patch", channels, None),
        position=array("position", None, channels),
        class_token=array("class_token", channels),
        blocks=tuple(blocks),
        norm=norm("norm"),
        head=linear("head", None, channels),
        heads=heads,
        token=token,
        input_scale=scalar("input.scale"),
        norm_scale=scalar("norm.scale"),
        epsilon=1e-6 if epsilon is None else epsilon,
        input_signed=scalar("input.signed") != 0,
    )
    unknown = sorted(set(state) - taken)
    if unknown:
        raise MappingError(
            f"transformer's state: {unknown[0]!r} is not a name of a parameter or scale", name=unknown[0]
        )
    return made

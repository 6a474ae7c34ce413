"""How far each operator of an integer transformer is from the exact function of its own inputs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuromorph.errors import MappingError

from .calibrate import gelu
from .calibrate_rows import reciprocal_error
from .float_model import norm
from .network import IntegerTransformer
from .parameters import TransformerParameters
from .rows import Softmax
from .words import Integers, Width

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class OperatorError:
    """Mean squared error of an operator's codes, in units of a code.

    Attributes
    ----------
    name : str
    error : float
        Against the exact function of the same inputs, clamped to the output's word.
    rounding : float
        What rounding the exact result would have left: the least that is possible.
    reciprocal : float
        Of softmax: mean squared relative error of the reciprocal of the sums; else 0.
    """

    name: str
    error: float
    rounding: float
    reciprocal: float = 0.0


def operator_errors(
    network: IntegerTransformer, parameters: TransformerParameters, patches: NDArray[Any]
) -> tuple[OperatorError, ...]:
    """Errors of every table operator, LayerNorm and softmax on some images, which need not be those of calibration.

    Parameters
    ----------
    network : IntegerTransformer
        Made from ``parameters``.
    parameters : TransformerParameters
    patches : ndarray of int, shape (images, patches, inputs)
        Codes, as :meth:`IntegerTransformer.encode` gives them.

    Raises
    ------
    MappingError
        A network without scales, as a published one, or with other blocks than the parameters.
    """
    if not network.scales:
        raise MappingError("errors of operators: the network does not know the scales of its values")
    if len(parameters.blocks) != len(network.blocks):
        raise MappingError(
            f"errors of operators: the network has {len(network.blocks)} blocks and the parameters "
            f"{len(parameters.blocks)}; give those that it was made from"
        )
    seen: dict[str, Integers] = {}
    network.run(patches, hook=seen.__setitem__, batch=len(patches))
    scale = network.scales
    found: list[OperatorError] = []
    carried = "patch_embed.project"
    for number, block in enumerate(parameters.blocks):
        attn, mlp = f"attn{number}", f"mlp{number}"
        exact: dict[str, Floats] = {}
        exact[f"{attn}.layernorm"] = norm(seen[carried] * scale[carried], block.norm1, parameters.epsilon)
        for part in ("q", "k", "v"):
            exact[f"{attn}.{part}_requant"] = seen[f"{attn}.{part}"] * scale[f"{attn}.{part}"]
        scores = seen[f"{attn}.qk"]
        powers = np.exp((scores - scores.max(-1, keepdims=True)) * scale[f"{attn}.qk"])
        exact[f"{attn}.softmax"] = powers / powers.sum(-1, keepdims=True)
        exact[f"{attn}.a_requant"] = seen[f"{attn}.rv"] * scale[f"{attn}.rv"]
        carried = f"{attn}.residual"
        exact[f"{mlp}.layernorm"] = norm(seen[carried] * scale[carried], block.norm2, parameters.epsilon)
        exact[f"{mlp}.gelu"] = gelu(seen[f"{mlp}.fc1"] * scale[f"{mlp}.fc1"])
        carried = f"{mlp}.residual"
        found += _compared(network, exact, seen)
    last = norm(seen[carried][:, 0] * scale[carried], parameters.norm, parameters.epsilon)
    return (*found, *_compared(network, {"head.layernorm": last}, seen))


def _compared(
    network: IntegerTransformer, exact: dict[str, Floats], seen: dict[str, Integers]
) -> Iterable[OperatorError]:
    operators = dict(network.operators())
    for name, real in exact.items():
        operator = operators[name]
        word: Width = operator.output
        wanted = np.clip(real / network.scales[name] + network.zeros.get(name, 0), word.low, word.high)
        reciprocal = 0.0
        if isinstance(operator, Softmax):
            reciprocal = reciprocal_error(operator, seen[name.replace("softmax", "qk")])
        yield OperatorError(
            name,
            float(np.mean((seen[name] - wanted) ** 2)),
            float(np.mean((np.rint(wanted) - wanted) ** 2)),
            reciprocal,
        )

"""Transformers of any shape with weights that are drawn, where no trained ones are at hand."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..transformer.shape import VisionTransformer
from .parameters import ClassToken, TransformerParameters, from_state


def drawn(shape: VisionTransformer, seed: int = 0, *, token: ClassToken = "extra") -> TransformerParameters:
    """A float transformer whose activations keep their size from layer to layer, with normally distributed weights.

    Parameters
    ----------
    shape : VisionTransformer
        ``shape.tokens`` with the class token's row.
    seed : int
    token : {"extra", "overwrite"}
    """
    generator = np.random.default_rng(seed)
    state: dict[str, Any] = {}

    def normal(*size: int, spread: float, mean: float = 0.0) -> NDArray[np.float64]:
        return generator.normal(mean, spread, size)

    def linear(name: str, outputs: int, inputs: int, gain: float = 1.0) -> None:
        state[f"{name}.weight"] = normal(outputs, inputs, spread=gain * inputs**-0.5)
        state[f"{name}.bias"] = normal(outputs, spread=0.1)

    def norm(name: str) -> None:
        state[f"{name}.weight"] = normal(shape.channels, spread=0.2, mean=1.0)
        state[f"{name}.bias"] = normal(shape.channels, spread=0.2)

    linear("patch", shape.channels, shape.patch_inputs)
    state["position"] = normal(shape.tokens, shape.channels, spread=0.3)
    state["class_token"] = normal(shape.channels, spread=1.0)
    for number in range(shape.blocks):
        for part in ("norm1", "norm2"):
            norm(f"block{number}.{part}")
        for part, gain in (("q", 1.5), ("k", 1.5), ("v", 1.0), ("o", 1.0)):
            linear(f"block{number}.{part}", shape.channels, shape.channels, gain)
        linear(f"block{number}.fc1", shape.hidden, shape.channels)
        linear(f"block{number}.fc2", shape.channels, shape.hidden)
    norm("norm")
    linear("head", shape.classes, shape.channels)
    return from_state(state, shape.heads, token=token)

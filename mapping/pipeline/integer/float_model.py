"""The same transformer in float64: what the integers are an approximation of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuromorph.errors import MappingError

from .calibrate import gelu
from .parameters import Floats, Linear, Norm, TransformerParameters
from .words import real_values

See = Callable[[str, Floats], None]
"""Called with the name of an activation, as ``"block0.norm1"``, and its values."""


def evaluate(parameters: TransformerParameters, patches: NDArray[Any], *, see: See | None = None) -> Floats:
    """Logits of images in float64, with nothing quantised.

    Parameters
    ----------
    parameters : TransformerParameters
    patches : ndarray of float, shape (images, patches, inputs)
        As many rows as tokens if the class token takes the place of patch 0, else one less.
    see : callable, optional
        Sees the activations of :data:`~.parameters.POINTS`, each block's after ``block{i}.``, ``input`` and ``norm``.

    Returns
    -------
    ndarray of float64, shape (images, classes)

    Raises
    ------
    MappingError
        Patches of another shape, or that are not finite.
    """
    images = checked_patches(parameters, patches)
    tell = see or (lambda name, values: None)
    tell("input", images)
    values = np.empty((len(images), parameters.tokens, parameters.channels))
    values[:, 1:] = linear(images[:, parameters.token == "overwrite" :], parameters.patch)
    values[:, 0] = parameters.class_token
    values += parameters.position
    for number, block in enumerate(parameters.blocks):
        name = f"block{number}"
        normed = norm(values, block.norm1, parameters.epsilon)
        tell(f"{name}.norm1", normed)
        heads = {}
        for part in ("q", "k", "v"):
            found = linear(normed, block.linear[part])
            tell(f"{name}.{part}", found)
            heads[part] = found.reshape(len(images), parameters.tokens, parameters.heads, -1).swapaxes(1, 2)
        scores = heads["q"] @ heads["k"].swapaxes(-1, -2) / np.sqrt(heads["q"].shape[-1])
        powers = np.exp(scores - scores.max(-1, keepdims=True))
        powers /= powers.sum(-1, keepdims=True)
        tell(f"{name}.softmax", powers)
        mixed = (powers @ heads["v"]).swapaxes(1, 2).reshape(values.shape)
        tell(f"{name}.a", mixed)
        values = values + linear(mixed, block.linear["o"])
        normed = norm(values, block.norm2, parameters.epsilon)
        tell(f"{name}.norm2", normed)
        activated = gelu(linear(normed, block.linear["fc1"]))
        tell(f"{name}.gelu", activated)
        values = values + linear(activated, block.linear["fc2"])
    normed = norm(values[:, 0], parameters.norm, parameters.epsilon)
    tell("norm", normed)
    return linear(normed, parameters.head)


def linear(values: Floats, layer: Linear) -> Floats:
    """``values @ weight.T + bias``."""
    product: Floats = values @ layer.weight.T + layer.bias
    return product


def norm(values: Floats, layer: Norm, epsilon: float) -> Floats:
    """LayerNorm over the last axis."""
    difference = values - values.mean(-1, keepdims=True)
    root = np.sqrt((difference**2).mean(-1, keepdims=True) + epsilon)
    scaled: Floats = difference / root * layer.weight + layer.bias
    return scaled


def checked_patches(parameters: TransformerParameters, patches: NDArray[Any]) -> Floats:
    """Patches as float64, if there are any, their shape is the network's, and they are finite."""
    images = real_values(patches, "transformer: patches")
    rows = parameters.tokens - (parameters.token == "extra")
    inputs = parameters.patch.weight.shape[1]
    if images.ndim != 3 or images.shape[1:] != (rows, inputs) or not len(images):
        raise MappingError(
            f"transformer: patches have shape {images.shape}; expected (images, {rows}, {inputs}), at least one image"
        )
    return images

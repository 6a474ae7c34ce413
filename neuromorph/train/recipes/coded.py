"""What a chip is to store of a trained module: codes, scales and codes of zero."""

from __future__ import annotations

from typing import cast

import torch
from torch import nn

from neuromorph.errors import NetworkError
from neuromorph.train.modules.mode import evaluated
from neuromorph.train.recipes.formats import Coded, Codes
from neuromorph.train.recipes.layers import Chosen, original, parametrizations, weights_of
from neuromorph.train.recipes.quantisation import Quantised


def codes(module: nn.Module, chosen: Chosen | None = None) -> dict[str, Codes]:
    """What a chip is to store of a trained module, by layer, in ``eval`` mode.

    ``scale * (codes - zero)`` are the weights that the module uses, bit for bit, in the unit of their port;
    ``module.network()`` has the same numbers, and :func:`neuromorph.network.uniform_grid` finds their codes again.

    Parameters
    ----------
    module : torch.nn.Module
    chosen : sequence of str, or of (layer, parameter name), optional
        As for :func:`neuromorph.train.weights_of`; None: every weight that is :class:`Quantised`.

    Raises
    ------
    NetworkError
        What was chosen is not quantised, or by a format without codes.
    """
    layers = weights_of(module, chosen)
    found = {name: place for name, place in layers.items() if chosen is not None or _quantiser(*place) is not None}
    with evaluated(module), torch.no_grad():
        return {name: _codes(name, *place) for name, place in found.items()}


def _quantiser(layer: nn.Module, parameter: str) -> int | None:
    """Place of the last quantisation among a weight's parametrizations."""
    steps = enumerate(parametrizations(layer, parameter))
    places = [k for k, each in steps if isinstance(each, Quantised) and each.enabled]
    return places[-1] if places else None


def _codes(name: str, layer: nn.Module, parameter: str) -> Codes:
    at = _quantiser(layer, parameter)
    steps = list(parametrizations(layer, parameter))
    if at is None:
        raise NetworkError(f"codes: {name} is not quantised; register train.Quantised(...) on it first", name=name)
    format = cast(Quantised, steps[at]).format
    if not isinstance(format, Coded):
        raise NetworkError(
            f"codes: the format of {name}, {type(format).__name__}, has no method codes(x); choose one whose numbers "
            "are multiples of a step",
            name=name,
        )
    weight = original(layer, parameter)
    for each in steps[:at]:
        weight = each(weight)
    return format.codes(weight.detach())

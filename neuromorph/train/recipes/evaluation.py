"""Means over all of a data set, of batches of any sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from neuromorph.errors import TrainingError
from neuromorph.train.modules.mode import evaluated
from neuromorph.train.recipes.carry import Carry, carried, move


def evaluate(
    module: nn.Module,
    measure: Callable[[Any, Any], Mapping[str, Tensor]],
    data: Iterable[tuple[Any, Any]],
    *,
    carry: Carry | None = None,
) -> dict[str, float]:
    """Run ``module`` over ``data`` in ``eval`` mode and give the mean of everything that ``measure`` returns.

    Parameters
    ----------
    module : torch.nn.Module
        Called as ``outputs, state = module(inputs, state)``; its mode is put back.
    measure : callable
        ``measure(outputs, targets)``: by name, one value for each item (token, sample, neuron-step), in any shape.
    data : iterable of (inputs, targets)
    carry : {"all", "outputs", None}
        What passes from one batch to the next.

    Returns
    -------
    dict of str to float
        Means over items, summed in float64: ``exp`` of a mean negative log-likelihood is the perplexity.
    """
    parameter = next(module.parameters(), None)
    device = torch.device("cpu") if parameter is None else parameter.device
    sums: dict[str, float] = {}
    counts: dict[str, int] = {}
    state = None
    with evaluated(module), torch.no_grad():
        for inputs, targets in data:
            outputs, state = module(move(inputs, device), state)
            state = carried(state, carry)
            for name, values in measure(outputs, move(targets, device)).items():
                sums[name] = sums.get(name, 0.0) + float(values.double().sum())
                counts[name] = counts.get(name, 0) + values.numel()
    if not counts:
        raise TrainingError("evaluate: the data gave no batch")
    return {name: total / counts[name] for name, total in sums.items()}


def correct(logits: Tensor, targets: Tensor) -> Tensor:
    """1 where the largest logit of the last axis is the target's, else 0; its mean is the accuracy."""
    return (logits.argmax(-1) == targets).float()

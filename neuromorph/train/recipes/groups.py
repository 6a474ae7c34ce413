"""Which parameters decay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from neuromorph.errors import TrainingError
from neuromorph.train.modules.weights import ProjectionWeights
from neuromorph.train.recipes.layers import original


def decay_groups(
    module: nn.Module,
    weight_decay: float,
    *,
    decays: Callable[[str, nn.Parameter], bool] | None = None,
    rates: dict[str, float] | None = None,
) -> list[dict[str, Any]]:
    """Groups of parameters for ``torch.optim.AdamW(decay_groups(module, 0.1), lr=1e-3)``.

    Parameters
    ----------
    module : torch.nn.Module
    weight_decay : float
        Of the parameters that decay; the others have none.
    decays : callable, optional
        ``decays(name, parameter)`` chooses; by default the weights of projections and what else has two axes or more
        decay, and values of each neuron (thresholds, biases, time constants) do not.
    rates : mapping of str to float, optional
        Learning rates of parameters whose names end so, such as ``{"theta": 0.0}`` to freeze thresholds; the rest take
        the optimiser's.

    Returns
    -------
    list of dict
        No group is empty. A parameter that is used twice (tied) is in one group.
    """
    synapses = {id(original(layer, "weight")) for layer in module.modules() if isinstance(layer, ProjectionWeights)}
    decays = decays or (lambda name, parameter: parameter.ndim >= 2 or id(parameter) in synapses)
    found: dict[tuple[bool, float | None], list[nn.Parameter]] = {}
    unused = set(rates or {})
    for name, parameter in module.named_parameters():
        ending = next((end for end in rates or {} if name.endswith(end) or _plain(name).endswith(end)), None)
        unused.discard(ending or "")
        rate = None if ending is None else (rates or {})[ending]
        found.setdefault((decays(name, parameter), rate), []).append(parameter)
    if unused:
        names = ", ".join(name for name, _ in module.named_parameters())
        raise TrainingError(f"decay_groups: no parameter ends in {sorted(unused)}; there are {names}")
    return [
        {"params": parameters, "weight_decay": weight_decay if decay else 0.0, **({} if rate is None else {"lr": rate})}
        for (decay, rate), parameters in found.items()
    ]


def _plain(name: str) -> str:
    """The name that a parametrised parameter had before."""
    return name.replace("parametrizations.", "").removesuffix(".original")

"""Pruning by magnitude: at once, or little by little while training goes on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from neuromorph.errors import TrainingError
from neuromorph.train.recipes.layers import Chosen, original, parametrizations, weights_of

Scope = Literal["global", "layer"]


class Pruned(nn.Module):
    """A parametrization that keeps some weights and holds the others at zero.

    What is held gets no gradient, and an optimiser cannot bring it back. The mask is part of the module's state.

    Parameters
    ----------
    mask : bool Tensor
        True: kept; of the weight's shape.
    """

    mask: Tensor

    def __init__(self, mask: Tensor) -> None:
        super().__init__()
        self.register_buffer("mask", mask)

    def forward(self, weight: Tensor) -> Tensor:
        """Weights with zeros where the mask is False."""
        return torch.where(self.mask, weight, torch.zeros((), dtype=weight.dtype, device=weight.device))

    def right_inverse(self, weight: Tensor) -> Tensor:
        """What to store so that ``weight`` is meant: itself."""
        return weight

    def extra_repr(self) -> str:
        """What ``print`` shows."""
        return f"kept={int(self.mask.sum())} of {self.mask.numel()}"


def prune(
    module: nn.Module, sparsity: float, projections: Chosen | None = None, *, scope: Scope = "global"
) -> dict[str, float]:
    """Set the smallest weights to zero, for good: exactly ``round(sparsity * n)`` of n.

    Once a weight is pruned it stays so: a later call prunes further, from the weights as they are then. Registers
    :class:`Pruned` before other parametrizations the first time; the parameters stay the same objects, so an optimiser
    that has them goes on.

    Parameters
    ----------
    module : torch.nn.Module
    sparsity : float
        Fraction of zeros, in [0, 1).
    projections : sequence of str or of (layer, parameter name), optional
        See :func:`neuromorph.train.weights_of`.
    scope : {"global", "layer"}
        One threshold for all weights, as numbers in the units of their ports, so that layers may become unequally
        sparse; or the same sparsity in each.

    Returns
    -------
    dict of str to float
        Fraction of zeros of each layer.
    """
    if not 0 <= sparsity < 1:
        raise TrainingError(f"prune: sparsity {sparsity}; at least 0 and below 1", sparsity=sparsity)
    if scope not in ("global", "layer"):
        raise TrainingError(f"prune: scope={scope!r}; choose 'global' or 'layer'")
    chosen = weights_of(module, projections)
    masks = {name: _mask(layer, parameter) for name, (layer, parameter) in chosen.items()}
    with torch.no_grad():
        # what is held already comes first
        sizes = {
            name: torch.where(masks[name].mask, original(layer, parameter).abs(), -1.0).flatten()
            for name, (layer, parameter) in chosen.items()
        }
        if scope == "global":
            keep = _kept(torch.cat(list(sizes.values())), sparsity).split([len(size) for size in sizes.values()])
        else:
            keep = tuple(_kept(size, sparsity) for size in sizes.values())
        for mask, kept in zip(masks.values(), keep, strict=True):
            mask.mask.copy_(kept.view_as(mask.mask))
    return {name: 1 - float(mask.mask.double().mean()) for name, mask in masks.items()}


def kept(layer: nn.Module, parameter: str = "weight") -> Tensor | None:
    """The mask of a weight that :class:`Pruned` holds, True where it is kept; None if it is not pruned."""
    for each in parametrizations(layer, parameter):
        if isinstance(each, Pruned):
            return each.mask
    return None


def sparsities(module: nn.Module, projections: Chosen | None = None) -> dict[str, float]:
    """Fraction of weights that are zero, by layer."""
    return {
        name: float((getattr(layer, parameter) == 0).double().mean())
        for name, (layer, parameter) in weights_of(module, projections).items()
    }


def cubic(step: int, start: int, end: int, initial: float, target: float) -> float:
    """Sparsity of a gradual schedule: ``target + (initial - target) * (1 - (step - start) / (end - start))**3``.

    Zhu and Gupta 2017, equation 1; ``initial`` before ``start``, ``target`` after ``end``.
    """
    left = 1 - min(max((step - start) / (end - start), 0.0), 1.0)
    return target + (initial - target) * left**3


class GradualPruning:
    """Prune to a target little by little by :func:`cubic`, so that what is left can adapt.

    Steps are calls of ``step()``: ``Trainer(each_step=[pruning])`` counts batches, ``each_epoch`` epochs. Training that
    goes on after ``end`` is the fine-tuning.

    Parameters
    ----------
    module : torch.nn.Module
        Gets :class:`Pruned` on its weights at once.
    target : float
        Last sparsity.
    start, end : int
        First and last step of pruning.
    every : int
        Steps between two prunings.
    initial : float
        Sparsity at the start.
    projections, scope
        As for :func:`prune`.
    """

    def __init__(
        self,
        module: nn.Module,
        target: float,
        *,
        start: int = 0,
        end: int,
        every: int = 1,
        initial: float = 0.0,
        projections: Chosen | None = None,
        scope: Scope = "global",
    ) -> None:
        if not (0 <= start < end and every >= 1 and 0 <= initial <= target < 1):
            raise TrainingError(
                f"GradualPruning: start={start}, end={end}, every={every}, initial={initial}, target={target}; needs "
                "0 <= start < end, every >= 1 and 0 <= initial <= target < 1"
            )
        self.module, self.target, self.initial = module, target, initial
        self.start, self.end, self.every = start, end, every
        self.projections, self.scope = projections, scope
        self.steps = 0
        self.sparsity = initial
        prune(module, initial, projections, scope=scope)

    def step(self) -> None:
        """One step is over; prune if it is time."""
        self.steps += 1
        due = self.start <= self.steps <= self.end and (self.steps - self.start) % self.every == 0
        if due or self.steps == self.end:
            self.sparsity = cubic(self.steps, self.start, self.end, self.initial, self.target)
            prune(self.module, self.sparsity, self.projections, scope=self.scope)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps; the masks are in the module's state."""
        return {"steps": self.steps, "sparsity": self.sparsity}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what a checkpoint kept."""
        self.steps, self.sparsity = state["steps"], state["sparsity"]


def _kept(sizes: Tensor, sparsity: float) -> Tensor:
    """True for all but the ``round(sparsity * n)`` smallest, and never for what is held already (size -1)."""
    count = max(round(sparsity * len(sizes)), int((sizes < 0).sum()))
    if not count:
        return torch.ones_like(sizes, dtype=torch.bool)
    largest = sizes.kthvalue(count).values
    keep = sizes > largest
    # of equal ones the last stay
    equal = (sizes == largest).nonzero().squeeze(1)
    keep[equal[count - int((sizes < largest).sum()) :]] = True
    return keep


def _mask(layer: nn.Module, parameter: str) -> Pruned:
    """The weight's :class:`Pruned`, made if there is none: in front of the other parametrizations."""
    before = list(parametrizations(layer, parameter))
    present = next((each for each in before if isinstance(each, Pruned)), None)
    if present is not None:
        return present
    stored = original(layer, parameter)
    pruned = Pruned(torch.ones(stored.shape, dtype=torch.bool, device=stored.device))
    parametrize.register_parametrization(layer, parameter, pruned)
    order = parametrizations(layer, parameter)
    for number, each in enumerate([pruned, *before]):
        order[number] = each
    return pruned

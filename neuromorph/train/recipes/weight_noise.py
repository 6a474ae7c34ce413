"""Noise on weights while training, so that a network learns to live with cells that are not exact."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from neuromorph.errors import NetworkError


class WeightNoise(nn.Module):
    """Gaussian noise on every weight, drawn anew in each forward pass; none in ``eval`` mode. A parametrization.

    ``register_parametrization(layer, "weight", WeightNoise(0.05))`` puts it on any module, or
    ``parametrise(module, lambda: WeightNoise(0.05))`` on every weight; register it after pruning and
    :class:`neuromorph.train.Quantised`, since cells are programmed to a format's numbers and then miss them. The
    gradient passes it by. So networks are trained for analogue arrays (Joshi et al. 2020, Nat. Commun. 11, 2473).

    Parameters
    ----------
    sigma : float or callable
        Standard deviation relative to the largest size of a weight in the tensor; or a function that gives standard
        deviations, in the unit of the weights, for a tensor of weights: what a device's model says.
    zeros : bool
        Whether weights that are zero get noise, as the cells that hold them do. False: what was pruned stays away.
    """

    def __init__(self, sigma: float | Callable[[Tensor], Tensor], *, zeros: bool = True) -> None:
        super().__init__()
        if not callable(sigma) and not 0 <= sigma < float("inf"):
            raise NetworkError(f"WeightNoise: sigma={sigma}; a standard deviation is at least 0", sigma=sigma)
        self.sigma, self.zeros = sigma, zeros

    def forward(self, weight: Tensor) -> Tensor:
        """Weights with noise; as they are in ``eval`` mode."""
        if not self.training or not weight.numel():
            return weight
        known = weight.detach()
        sigma = self.sigma(known) if callable(self.sigma) else self.sigma * known.abs().max()
        noise = torch.randn_like(known) * sigma
        return weight + (noise if self.zeros else torch.where(known == 0, 0.0, noise))

    def right_inverse(self, weight: Tensor) -> Tensor:
        """What to store so that ``weight`` is meant: itself."""
        return weight

    def extra_repr(self) -> str:
        """What ``print`` shows."""
        shown = getattr(self.sigma, "__name__", type(self.sigma).__name__) if callable(self.sigma) else self.sigma
        return f"sigma={shown}" + ("" if self.zeros else ", zeros=False")

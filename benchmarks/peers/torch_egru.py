"""Hand-written PyTorch loops of one EGRU layer and of one recurrent LIF layer, from their equations.

The input products of the whole sequence are one product before the loop; a step is one product and the pointwise part,
in fused operations where there are any (``addmm``, ``addcmul``, ``lerp``).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from . import Build
from .sequences import INTO_V, KEEP_I, KEEP_V, THETA, Task, networks

DAMPENING, SUPPORT = 0.7, 1.0
"""Of the surrogate: dH/dv = dampening * max(0, 1 - support * |v|)."""


def version() -> str:
    """Of PyTorch."""
    return str(torch.__version__)


class Fires(torch.autograd.Function):
    """1 where the argument is above 0, with the triangle as its derivative."""

    @staticmethod
    def forward(ctx: Any, v: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Heaviside, 0 at 0."""
        ctx.save_for_backward(v)
        return (v > 0).to(v.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Triangle."""
        (v,) = ctx.saved_tensors
        return gradient * (DAMPENING * (1 - SUPPORT * v.abs()).clamp_(min=0))


fires = Fires.apply


def egru_step(
    a_ur: torch.Tensor,
    a_x: torch.Tensor,
    c: torch.Tensor,
    y: torch.Tensor,
    recurrent: torch.Tensor,
    recurrent_bias: torch.Tensor,
    theta: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """New state and output, from the input products, the old ones and the parameters."""
    units = theta.shape[0]
    b_ur, b_y = torch.addmm(recurrent_bias, y, recurrent).split((2 * units, units), 1)
    u, r = torch.sigmoid(a_ur + b_ur).chunk(2, 1)
    c = torch.lerp(torch.tanh(torch.addcmul(a_x, r, b_y)), c, u)
    fired = fires(c - theta)
    return torch.addcmul(c, fired, theta, value=-1), fired * c


class EGRU(nn.Module):
    """u, r = sigmoid; c = u c + (1 - u) tanh(a_x + b_x + r (a_y + b_y)); y = c where c > theta, and c - theta."""

    step = staticmethod(egru_step)

    def __init__(self, task: Task, dtype: torch.dtype) -> None:
        super().__init__()
        for name, value in task.weights.items():
            given = torch.from_numpy(value).to(dtype)
            if name == "threshold":  # frozen, as in the published recipes
                self.register_buffer(name, given)
            else:
                self.register_parameter(name, nn.Parameter(given))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Outputs of a sequence."""
        steps, batch, _ = x.shape
        units = self.threshold.shape[0]
        a = torch.addmm(self.bias, x.flatten(0, 1), self.kernel).view(steps, batch, 3 * units)
        a_ur, a_x = (part.unbind(0) for part in a.split((2 * units, units), 2))
        c = y = x.new_zeros(batch, units)
        outputs = []
        for t in range(steps):
            c, y = self.step(a_ur[t], a_x[t], c, y, self.recurrent, self.recurrent_bias, self.threshold)
            outputs.append(y)
        return torch.stack(outputs)

    def gradients(self) -> dict[str, torch.Tensor]:
        """By name of the weight."""
        return {name: parameter.grad for name, parameter in self.named_parameters()}


def lif_step(
    a: torch.Tensor, i: torch.Tensor, v: torch.Tensor, s: torch.Tensor, recurrent: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """New current, membrane and spikes, from the input product and the old ones."""
    i = torch.addmm(i + a, s, recurrent)
    v = torch.add(KEEP_V * v, i, alpha=INTO_V)
    s = fires(v - THETA)
    return KEEP_I * i, torch.sub(v, s, alpha=THETA), s


class LIF(nn.Module):
    """Exponential synapse and leaky membrane, integrated exactly; reset by subtraction."""

    step = staticmethod(lif_step)

    def __init__(self, task: Task, dtype: torch.dtype) -> None:
        super().__init__()
        for name, value in task.weights.items():
            self.register_parameter(name, nn.Parameter(torch.from_numpy(value).to(dtype)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Spikes of a sequence."""
        a = (x.flatten(0, 1) @ self.kernel).view(*x.shape[:2], -1)
        i = v = s = torch.zeros_like(a[0])
        spikes = []
        for now in a.unbind(0):
            i, v, s = self.step(now, i, v, s, self.recurrent)
            spikes.append(s)
        return torch.stack(spikes)

    def gradients(self) -> dict[str, torch.Tensor]:
        """By name of the weight."""
        return {name: parameter.grad for name, parameter in self.named_parameters()}


NETWORKS: dict[str, Build] = networks("egru", EGRU) | networks("lif", LIF)

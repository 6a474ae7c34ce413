"""PyTorch, float32: the fastest of its ways to compute a gated recurrent layer, token by token.

Tried once when built, eager and compiled: ``nn.GRU``, ``nn.GRUCell``, and the EGRU itself with two ``nn.Linear``. GRUs
have no events; they cost the same products.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import torch
from torch import nn

from . import Build, Built, Parameters, Setup
from .egru_tokens import one_by_one, tokens, weights

TRIALS = 20


def version() -> str:
    """Of PyTorch."""
    return str(torch.__version__)


class EGRU(nn.Module):
    """One step of the layer, with dense products."""

    def __init__(self, inputs: int, units: int, threshold: float) -> None:
        super().__init__()
        self.kernel, self.recurrent = nn.Linear(inputs, 3 * units), nn.Linear(units, 3 * units)
        self.threshold = threshold

    def forward(self, x: torch.Tensor, c: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """New state and output from a token (1, inputs), state and output (1, units)."""
        a_u, a_r, a_x = self.kernel(x).chunk(3, 1)
        b_u, b_r, b_y = self.recurrent(y).chunk(3, 1)
        u, r = torch.sigmoid(a_u + b_u), torch.sigmoid(a_r + b_r)
        c = u * c + (1 - u) * torch.tanh(a_x + r * b_y)
        fires = c > self.threshold
        return c - fires * self.threshold, c * fires


class Layer:
    """A layer with its state: call it with a token."""

    def __init__(self, name: str, module: nn.Module, units: int) -> None:
        self.name, self.module = name, module
        self.first, self.second = torch.zeros(1, units), torch.zeros(1, units)
        self.fired = 0

    def __call__(self, x: torch.Tensor) -> None:
        """Compute one token (1, inputs)."""
        if self.name.startswith("EGRU"):
            self.first, self.second = self.module(x, self.first, self.second)
            self.fired += int(torch.count_nonzero(self.second))
        elif self.name.startswith("GRUCell"):
            self.first = self.module(x, self.first)
        else:
            _, hidden = self.module(x.unsqueeze(0), self.first.unsqueeze(0))  # a sequence of one token
            self.first = hidden[0]

    def take_fired(self) -> float:
        """Units that fired since the last call."""
        count, self.fired = self.fired, 0
        return count


def layers(parameters: Parameters, seed: int) -> dict[str, nn.Module]:
    """The layer in three forms."""
    w = weights(parameters, seed)
    inputs, units = int(parameters["inputs"]), w.units
    egru = EGRU(inputs, units, parameters["threshold"])
    with torch.no_grad():
        for linear, matrix, bias in (
            (egru.kernel, w.kernel, w.bias),
            (egru.recurrent, w.recurrent_kernel, w.recurrent_bias),
        ):
            linear.weight.copy_(torch.from_numpy(matrix.T.copy()))
            linear.bias.copy_(torch.from_numpy(bias))
    return {"EGRU": egru, "GRUCell": nn.GRUCell(inputs, units), "GRU": nn.GRU(inputs, units)}


def fastest(layers: list[Layer], parameters: Parameters, setup: Setup) -> Built:
    """Try each on some tokens and keep the fastest."""
    x = torch.from_numpy(tokens(parameters, setup.seed)).unsqueeze(1)

    def timed(layer: Layer) -> float:
        times = []
        for number in range(TRIALS):
            began = perf_counter()
            layer(x[number])
            times.append(perf_counter() - began)
        return sorted(times)[TRIALS // 2]

    with torch.inference_mode():
        best = min(layers, key=timed)
    best.take_fired()

    def step(number: int) -> None:
        with torch.inference_mode():
            best(x[number])

    fired: Callable[[], float] | None = best.take_fired if best.name.startswith("EGRU") else None
    return one_by_one(step, fired, int(parameters["units"]), f"fastest: {best.name}")


def egru(parameters: Parameters, setup: Setup) -> Built:
    """Eager and compiled forms of all three."""
    torch.set_num_threads(max(1, setup.threads))
    units = int(parameters["units"])
    modules = layers(parameters, setup.seed)
    candidates = [Layer(name, module, units) for name, module in modules.items()]
    compiled = [
        Layer(f"{name}, compiled", torch.compile(module), units) for name, module in modules.items() if name != "GRU"
    ]
    return fastest(candidates + compiled, parameters, setup)


NETWORKS: dict[str, Build] = {"egru": egru}

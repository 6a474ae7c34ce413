"""PyTorch, int8 weights by dynamic quantisation: the fastest of its ways to compute the layer, token by token."""

from __future__ import annotations

import warnings

import torch
from torch import nn

from . import Build, Built, Parameters, Setup
from .torch_float32 import Layer, fastest, layers, version

__all__ = ["NETWORKS", "version"]


class Inside(nn.Sequential):
    """One module that is found by the quantiser, which leaves a bare GRU as it is, and called like it."""

    def forward(self, *inputs: torch.Tensor) -> object:
        """Whatever the module gives."""
        return self[0](*inputs)


def egru(parameters: Parameters, setup: Setup) -> Built:
    """The EGRU of two quantised ``nn.Linear``, ``nn.GRU`` and ``nn.GRUCell``."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(max(1, setup.threads))
    kinds = {nn.Linear, nn.GRU, nn.GRUCell}
    candidates = []
    for name, module in layers(parameters, setup.seed).items():
        quantised = torch.ao.quantization.quantize_dynamic(Inside(module), kinds, dtype=torch.qint8)
        if "Dynamic" not in repr(quantised):
            raise RuntimeError(f"PyTorch left {name} unquantised: {quantised}")
        candidates.append(Layer(name, quantised, int(parameters["units"])))
    return fastest(candidates, parameters, setup)


NETWORKS: dict[str, Build] = {"egru": egru}

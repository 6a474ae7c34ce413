"""snnTorch: ``RSynaptic`` behind ``nn.Linear``; its neuron resets one step later and decays in another order."""

from __future__ import annotations

import snntorch
import torch
from torch import nn

from . import Build
from .sequences import INTO_V, KEEP_I, KEEP_V, THETA, Task, networks


def version() -> str:
    """Of snnTorch."""
    return str(snntorch.__version__)


class LIF(nn.Module):
    """One layer: the inputs of the whole sequence at once, then step by step."""

    def __init__(self, task: Task, dtype: torch.dtype) -> None:
        super().__init__()
        kernel, recurrent = (torch.from_numpy(task.weights[name]).to(dtype).T for name in ("kernel", "recurrent"))
        self.inputs = nn.Linear(kernel.shape[1], kernel.shape[0], bias=False, dtype=dtype)
        self.neurons = snntorch.RSynaptic(KEEP_I, KEEP_V, linear_features=kernel.shape[0], threshold=THETA)
        with torch.no_grad():
            self.inputs.weight.copy_(kernel * INTO_V)
            self.neurons.recurrent.weight.copy_(recurrent * INTO_V)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Spikes of a sequence."""
        spikes, current, membrane = self.neurons.init_rsynaptic()
        out = []
        for now in self.inputs(x).unbind(0):
            spikes, current, membrane = self.neurons(now, spikes, current, membrane)
            out.append(spikes)
        return torch.stack(out)

    def gradients(self) -> dict[str, torch.Tensor]:
        """None: another model."""
        return {}


NETWORKS: dict[str, Build] = networks("lif", LIF)

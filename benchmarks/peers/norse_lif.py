"""norse: ``LIFRecurrent``, whose neuron is that of the LIF case up to the integration (Euler) and the reset (to 0)."""

from __future__ import annotations

import norse.torch as norse
import torch

from . import Build
from .sequences import DT, TAU_M, TAU_S, THETA, Task, networks


def version() -> str:
    """Of norse."""
    from importlib.metadata import version

    return version("norse")


class LIF(torch.nn.Module):
    """One layer; the weights of the case."""

    def __init__(self, task: Task, dtype: torch.dtype) -> None:
        super().__init__()
        kernel, recurrent = (torch.from_numpy(task.weights[name]).to(dtype).T for name in ("kernel", "recurrent"))
        self.layer = norse.LIFRecurrent(
            kernel.shape[1],
            kernel.shape[0],
            p=norse.LIFParameters(
                tau_syn_inv=torch.tensor(1e3 / TAU_S),
                tau_mem_inv=torch.tensor(1e3 / TAU_M),
                v_th=torch.tensor(THETA),
                v_reset=torch.tensor(0.0),
            ),
            input_weights=torch.nn.Parameter(kernel.contiguous()),
            recurrent_weights=torch.nn.Parameter(recurrent.contiguous()),
            autapses=True,
            dt=DT * 1e-3,
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Spikes of a sequence."""
        return self.layer(x)[0]

    def gradients(self) -> dict[str, torch.Tensor]:
        """None: another model."""
        return {}


NETWORKS: dict[str, Build] = networks("lif", LIF)

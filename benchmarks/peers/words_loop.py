"""The hand-written loop of :mod:`.torch_egru` for every layer, dense, where PyTorch contestants run."""

from __future__ import annotations

import numpy as np
import torch

from neuromorph.models.language_model import LanguageModel

from . import Build, Setup
from .sequences import Task
from .torch_egru import EGRU, egru_step, version
from .words import Energy, Floats, Ids, Reader, networks
from .words_module import device, energy

__all__ = ["NETWORKS", "version"]


class Loop:
    """Layers on top of each other."""

    def __init__(self, model: LanguageModel, ids: Ids) -> None:
        self.embedding = torch.from_numpy(model.embedding).to(device())
        self.layers = []
        for w in model.layers:
            weights = {
                "kernel": w.kernel,
                "recurrent": w.recurrent_kernel,
                "bias": w.bias,
                "recurrent_bias": w.recurrent_bias,
                "threshold": np.clip(w.threshold, 0, 1),
            }
            nothing = np.zeros((0, 0, 0))
            self.layers.append(EGRU(Task(weights, nothing, nothing), torch.float32).to(device()))
        self.ids = torch.from_numpy(ids.astype("int64")).to(device())[:, None]
        self.state = [torch.zeros(2, 1, w.units, device=device()).unbind(0) for w in model.layers]

    def sequence(self) -> Floats:
        """Layer after layer, each over all words."""
        with torch.inference_mode():
            y = self.embedding[self.ids]
            for layer in self.layers:
                y = layer(y)
        return y[:, 0].cpu().numpy()

    def live(self) -> None:
        """Word after word, each through all layers."""
        with torch.inference_mode():
            for word in self.ids:
                y = self.embedding[word]
                for k, layer in enumerate(self.layers):
                    units = layer.threshold.shape[0]
                    a = torch.addmm(layer.bias, y, layer.kernel)
                    a_ur, a_x = a.split((2 * units, units), 1)
                    parameters = layer.recurrent, layer.recurrent_bias, layer.threshold
                    self.state[k] = egru_step(a_ur, a_x, *self.state[k], *parameters)
                    y = self.state[k][1]


def made(model: LanguageModel, ids: Ids, setup: Setup) -> tuple[Reader, Energy]:
    """The loop and the meter."""
    torch.set_num_threads(max(1, setup.threads))
    return Loop(model, ids), energy()


NETWORKS: dict[str, Build] = networks(made)

"""``train.Module`` of the model's network, on a GPU if there is one and on the processor otherwise."""

from __future__ import annotations

import power
import torch

from neuromorph import ms, train
from neuromorph.models.language_model import LanguageModel

from . import Build, Setup
from .torch_egru import version
from .words import Energy, Floats, Ids, Reader, networks

__all__ = ["NETWORKS", "device", "energy", "version"]


def device() -> torch.device:
    """Where PyTorch contestants run."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def energy() -> Energy:
    """The meter of that device."""
    if device().type == "cuda":
        return Energy(power.gpu(), torch.cuda.synchronize)
    return Energy(power.processor()[0], lambda: None)


class Module:
    """The network as a module; its weights are dense, zeros included, where that is what PyTorch computes faster."""

    def __init__(self, model: LanguageModel, ids: Ids) -> None:
        self.module = train.Module(model.network(), 1 * ms, device=device())
        self.output = model.output
        self.ids = torch.from_numpy(ids.astype("int64")).to(device())[:, None]
        self.state: train.State | None = None

    def sequence(self) -> Floats:
        """All words in one call."""
        with torch.inference_mode():
            y, _ = self.module(self.ids)
        return y[self.output][:, 0].cpu().numpy()

    def live(self) -> None:
        """A call for each word."""
        with torch.inference_mode():
            for t in range(len(self.ids)):
                _, self.state = self.module(self.ids[t : t + 1], self.state)


def made(model: LanguageModel, ids: Ids, setup: Setup) -> tuple[Reader, Energy]:
    """The module and the meter."""
    torch.set_num_threads(max(1, setup.threads))
    return Module(model, ids), energy()


NETWORKS: dict[str, Build] = networks(made)

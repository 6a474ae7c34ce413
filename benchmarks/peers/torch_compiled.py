"""The hand-written loops with their step compiled by ``torch.compile``."""

from __future__ import annotations

import torch

from . import Build, torch_egru
from .sequences import networks
from .torch_egru import version

__all__ = ["NETWORKS", "version"]


class EGRU(torch_egru.EGRU):
    """See :class:`.torch_egru.EGRU`."""

    step = staticmethod(torch.compile(torch_egru.egru_step, dynamic=False))


class LIF(torch_egru.LIF):
    """See :class:`.torch_egru.LIF`."""

    step = staticmethod(torch.compile(torch_egru.lif_step, dynamic=False))


NETWORKS: dict[str, Build] = networks("egru", EGRU) | networks("lif", LIF)

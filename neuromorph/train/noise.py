"""The engines' random words in PyTorch: see :mod:`neuromorph.random` for what a word is."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from neuromorph import random

_M0, _M1, _W0, _W1, _MASK = 0xD2511F53, 0xCD9E8D57, 0x9E3779B9, 0xBB67AE85, 0xFFFFFFFF
_GOLDEN = 0x9E3779B97F4A7C15


def sample_seed(seed: int, sample: int) -> int:
    """The seed of a sample's noise: that of the network for sample 0, independent ones for the others."""
    return (seed + sample * _GOLDEN) % 2**64


@dataclass(frozen=True)
class Noise:
    """Random numbers of one population in one step.

    Attributes
    ----------
    low, high : int64 (batch, 1) Tensor
        Words of each sample's seed.
    ids : int64 (neurons,) Tensor
        Global ids.
    step : int
    """

    low: Tensor
    high: Tensor
    ids: Tensor
    step: int

    def bits(self, word: int) -> Tensor:
        """32 random bits for each sample and neuron: int64 (batch, neurons)."""
        block, lane = (self.ids >> 6 << 4) | (self.ids & 15), self.ids >> 4 & 3
        c0 = block.expand(self.low.shape[0], -1)
        c1, c2, c3 = (torch.full_like(c0, n) for n in (self.step & _MASK, self.step >> 32 & _MASK, word))
        k0, k1 = self.low, self.high
        for _ in range(10):
            h0, l0 = _multiplied(c0, _M0)
            h1, l1 = _multiplied(c2, _M1)
            c0, c1, c2, c3 = h1 ^ c1 ^ k0, l1, h0 ^ c3 ^ k1, l0
            k0, k1 = (k0 + _W0) & _MASK, (k1 + _W1) & _MASK
        lanes = torch.stack([c0, c1, c2, c3])
        return lanes.gather(0, lane.expand(1, *c0.shape))[0]

    def poisson(self, word: int, mean: Tensor | float) -> Tensor:
        """Counts of these means: int64 (batch, neurons). Done on the CPU, without a gradient."""
        shape = (self.low.shape[0], self.ids.shape[0])
        if self.ids.device.type == "meta":
            return torch.zeros(shape, dtype=torch.int64, device="meta")
        means = torch.as_tensor(mean, dtype=torch.float64).detach().cpu().broadcast_to(shape).numpy()
        seeds = (self.low + (self.high << 32)).cpu().ravel().tolist()
        ids = self.ids.cpu().numpy()
        rows = [random.poisson(s % 2**64, ids, self.step, word, row) for s, row in zip(seeds, means, strict=True)]
        return torch.stack([torch.from_numpy(row) for row in rows]).to(self.ids.device)


def _multiplied(x: Tensor, factor: int) -> tuple[Tensor, Tensor]:
    """High and low 32 bits of a product of two numbers of 32 bits, by halves so that no sum exceeds 63 bits."""
    low = x * (factor & 0xFFFF)
    upper = (low >> 16) + x * (factor >> 16)
    return upper >> 16, ((upper << 16) | (low & 0xFFFF)) & _MASK


def seeds(seed: int, batch: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Words of the seeds of all samples: two int64 (batch, 1) tensors."""
    each = [sample_seed(seed, k) for k in range(batch)]
    words = torch.tensor([[s & _MASK, s >> 32] for s in each], dtype=torch.int64).to(device)
    return words[:, :1], words[:, 1:]

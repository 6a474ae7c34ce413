"""The engines' random words in PyTorch: see :mod:`neuromorph.random` for what a word is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from neuromorph import random

_M0, _M1, _W0, _W1, _MASK = 0xD2511F53, 0xCD9E8D57, 0x9E3779B9, 0xBB67AE85, 0xFFFFFFFF
_GOLDEN = 0x9E3779B97F4A7C15
_AT_ONCE = 1 << 15  # words that are drawn at a time


def sample_seed(seed: int, sample: int) -> int:
    """The seed of a sample's noise: that of the network for sample 0, independent ones for the others."""
    return (seed + sample * _GOLDEN) % 2**64


@dataclass(frozen=True)
class Noise:
    """Random numbers of one population in one step.

    Attributes
    ----------
    words : mapping of int to Tensor
        Random bits of each word that the program draws.
    source : NoiseSource
    step : int
    """

    words: Mapping[int, Tensor]
    source: NoiseSource
    step: int

    def bits(self, word: int) -> Tensor:
        """32 random bits for each sample and neuron: int64 (batch, neurons)."""
        return self.words[word]

    def poisson(self, word: int, mean: Tensor | float) -> Tensor:
        """Counts of these means: int64 (batch, neurons). Done on the CPU, without a gradient."""
        source = self.source
        shape = (len(source.seeds), source.size)
        if source.device.type == "meta":
            return torch.zeros(shape, dtype=torch.int64, device="meta")
        means = torch.as_tensor(mean, dtype=torch.float64).detach().cpu().broadcast_to(shape).numpy()
        ids = range(source.first, source.first + source.size)
        rows = [random.poisson(s, ids, self.step, word, row) for s, row in zip(source.seeds, means, strict=True)]
        return torch.stack([torch.from_numpy(row) for row in rows]).to(source.device)


class NoiseSource:
    """Random numbers of one population in all steps, drawn for several steps at a time.

    Parameters
    ----------
    seed : int
        Of sample 0.
    batch : int
    first, size : int
        Global id of the first neuron; number of neurons.
    words : sequence of int
        What the program draws in a step.
    last : int
        The step before which drawing ends.
    device : torch.device
    """

    def __init__(
        self, seed: int, batch: int, first: int, size: int, words: Sequence[int], last: int, device: torch.device
    ) -> None:
        self.seeds = [sample_seed(seed, k) for k in range(batch)]
        self.first, self.size, self.device = first, size, device
        self._words, self._last = list(words), last
        groups = range(first >> 6, ((first + size - 1) >> 6) + 1)
        self._groups = len(groups)
        blocks = torch.arange(groups.start << 4, groups.stop << 4, device=device)
        keys = torch.tensor([[s & _MASK, s >> 32] for s in self.seeds], dtype=torch.int64).to(device)
        self._keys = keys[:, :1], keys[:, 1:]
        self._blocks = blocks
        self._ahead = max(1, _AT_ONCE // max(1, len(self._words) * batch * size))
        self._drawn: tuple[int, list[tuple[Tensor, ...]]] = (0, [])

    def at(self, step: int) -> Noise:
        """What is drawn in a step."""
        start, rows = self._drawn
        if self._words and not start <= step < start + len(rows):
            start, rows = self._drawn = step, [row.unbind(0) for row in self._draw(step).unbind(0)]
        return Noise(dict(zip(self._words, rows[step - start], strict=True)) if self._words else {}, self, step)

    def _draw(self, step: int) -> Tensor:
        """Words of the next steps: int64 (steps, words, batch, neurons)."""
        ahead = min(self._ahead, self._last - step)
        steps = torch.arange(step, step + ahead, device=self.device).view(-1, 1, 1, 1)
        words = torch.tensor(self._words, dtype=torch.int64).to(self.device).view(1, -1, 1, 1)
        shape = (ahead, len(self._words), len(self.seeds), len(self._blocks))
        c0, c1, c2, c3 = (c.expand(shape) for c in (self._blocks, steps & _MASK, steps >> 32, words))
        k0, k1 = self._keys
        for _ in range(10):
            h0, l0 = _multiplied(c0, _M0)
            h1, l1 = _multiplied(c2, _M1)
            c0, c1, c2, c3 = h1 ^ c1 ^ k0, l1, h0 ^ c3 ^ k1, l0
            k0, k1 = (k0 + _W0) & _MASK, (k1 + _W1) & _MASK
        lanes = torch.stack([c.unflatten(-1, (self._groups, 16)) for c in (c0, c1, c2, c3)], -2)
        begin = self.first & 63
        return lanes.flatten(-3)[..., begin : begin + self.size]


def _multiplied(x: Tensor, factor: int) -> tuple[Tensor, Tensor]:
    """High and low 32 bits of a product of two numbers of 32 bits, by halves so that no sum exceeds 63 bits."""
    low = x * (factor & 0xFFFF)
    upper = (low >> 16) + x * (factor >> 16)
    return upper >> 16, ((upper << 16) | (low & 0xFFFF)) & _MASK

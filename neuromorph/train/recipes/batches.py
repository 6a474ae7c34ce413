"""Batches of long streams and of samples, the same in every run: a function of seed and epoch alone."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from neuromorph.errors import TrainingError


def columns(sequence: Tensor, batch: int) -> Tensor:
    """Cut a sequence (n, ...) into ``batch`` equal pieces that run side by side: (n // batch, batch, ...)."""
    steps = len(sequence) // batch if batch > 0 else 0
    if not steps:
        raise TrainingError(f"a sequence of {len(sequence)} cannot be cut into {batch} columns")
    return sequence[: steps * batch].reshape(batch, steps, *sequence.shape[1:]).transpose(0, 1).contiguous()


class Windows:
    """Consecutive windows of a stream, for truncated back-propagation through time.

    Each epoch goes through the stream once, in order; the state may be carried from one window to the next. For a
    language model with ``ids = columns(words, batch)`` the stream is ``Windows(ids[:-1], ids[1:], 70)``.

    Parameters
    ----------
    inputs, targets : (time, ...) Tensor
        Equal lengths; usually (time, batch) or (time, batch, n).
    steps : int
        Length of a window; the last one may be shorter.
    jitter : float
        Standard deviation of the lengths, in steps, so that windows do not begin at the same places in each epoch:
        lengths are normal, rounded, at least half of ``steps`` and at most one and a half. 0: all equal.
    seed : int
        Of the jitter.
    """

    def __init__(self, inputs: Tensor, targets: Tensor, steps: int, *, jitter: float = 0.0, seed: int = 0) -> None:
        if len(inputs) != len(targets) or not len(inputs):
            raise TrainingError(
                f"Windows: {len(inputs)} inputs and {len(targets)} targets; both must be as many, not 0"
            )
        if steps < 1 or jitter < 0:
            raise TrainingError(f"Windows: steps={steps}, jitter={jitter}; at least one step, and no negative jitter")
        self.inputs, self.targets, self.steps, self.jitter, self.seed = inputs, targets, steps, jitter, seed
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Take the lengths of this epoch."""
        total = len(self.inputs)
        if not self.jitter:
            self._cuts = [*range(0, total, self.steps), total]
            return
        least, most = max(self.steps // 2, 1), self.steps * 3 // 2
        draws = torch.randn(total // least + 1, generator=_generator(self.seed, epoch)) * self.jitter + self.steps
        self._cuts = [0]
        for length in draws.round().clamp(least, most).long().tolist():
            self._cuts.append(min(self._cuts[-1] + length, total))
            if self._cuts[-1] == total:
                break

    def __len__(self) -> int:
        return len(self._cuts) - 1

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for start, stop in zip(self._cuts[:-1], self._cuts[1:], strict=True):
            yield self.inputs[start:stop], self.targets[start:stop]


class Samples:
    """Batches of independent samples, in another order in each epoch.

    Parameters
    ----------
    inputs : (steps, samples, ...) Tensor
        The second axis counts samples, as a module takes them.
    targets : (samples, ...) Tensor
    batch : int
        Samples in a batch; the last one may be smaller.
    shuffle : bool
        Change the order in each epoch.
    seed : int
        Of the order.
    """

    def __init__(self, inputs: Tensor, targets: Tensor, batch: int, *, shuffle: bool = True, seed: int = 0) -> None:
        if inputs.ndim < 2 or inputs.shape[1] != len(targets) or not len(targets):
            raise TrainingError(
                f"Samples: inputs of shape {tuple(inputs.shape)} and {len(targets)} targets; the second axis of the "
                "inputs must count samples, as the first of the targets does"
            )
        if batch < 1:
            raise TrainingError(f"Samples: batches of {batch}; at least 1")
        self.inputs, self.targets, self.batch, self.shuffle, self.seed = inputs, targets, batch, shuffle, seed
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Take the order of this epoch."""
        count = len(self.targets)
        order = torch.randperm(count, generator=_generator(self.seed, epoch)) if self.shuffle else torch.arange(count)
        self._order = order.to(self.inputs.device)

    def __len__(self) -> int:
        return -(-len(self.targets) // self.batch)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for chosen in self._order.split(self.batch):
            yield self.inputs[:, chosen], self.targets[chosen.to(self.targets.device)]


def _generator(seed: int, epoch: int) -> torch.Generator:
    # on the CPU, so that the order is the same whatever the device
    return torch.Generator().manual_seed((seed * 1_000_003 + epoch) % (1 << 63))

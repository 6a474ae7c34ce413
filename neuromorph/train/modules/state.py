"""Where a module is between two calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class State:
    """States of all neurons, events on their way, and the step: what one call hands to the next.

    Attributes
    ----------
    step : int
        Steps done.
    cells : mapping of str to tuple of (batch, size) Tensor
        States of each population.
    initial : mapping of str to tuple of (batch, size) Tensor
        The same before the first step.
    emitted, sent : mapping of str to (rows, batch, size) Tensor
        The last events of each population, as far back as delays reach: as it emitted them, and as they were sent on
        (see :meth:`Module.after`).
    """

    step: int
    cells: Mapping[str, tuple[Tensor, ...]]
    initial: Mapping[str, tuple[Tensor, ...]]
    emitted: Mapping[str, Tensor]
    sent: Mapping[str, Tensor]

    @property
    def batch(self) -> int:
        """Number of samples."""
        for each in self.cells.values():
            for tensor in each:
                return tensor.shape[0]
        return next(iter(self.emitted.values())).shape[1]

    def detach(self) -> State:
        """The same values, cut off from what made them: for truncated back-propagation."""
        return self._mapped(Tensor.detach)

    def to(self, device: torch.device | str) -> State:
        """The same on another device."""
        return self._mapped(lambda t: t.to(device))

    def select(self, samples: Tensor) -> State:
        """Some samples: an int or bool tensor that indexes the batch."""
        return replace(
            self,
            cells={name: tuple(t[samples] for t in each) for name, each in self.cells.items()},
            initial={name: tuple(t[samples] for t in each) for name, each in self.initial.items()},
            emitted={name: t[:, samples] for name, t in self.emitted.items()},
            sent={name: t[:, samples] for name, t in self.sent.items()},
        )

    def outputs_only(self) -> State:
        """Every neuron in its initial state, events on their way kept: how EvNN's language models carry a window."""
        return replace(self, cells=self.initial)

    def _mapped(self, function: Callable[[Tensor], Tensor]) -> State:
        return replace(
            self,
            cells={name: tuple(map(function, each)) for name, each in self.cells.items()},
            initial={name: tuple(map(function, each)) for name, each in self.initial.items()},
            emitted={name: function(t) for name, t in self.emitted.items()},
            sent={name: function(t) for name, t in self.sent.items()},
        )

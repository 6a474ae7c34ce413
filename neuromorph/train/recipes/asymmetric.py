"""Asymmetric codes whose range is estimated again and again in training: 4-bit cells of NOR flash.

After Chen and Huang, "Research on low bit-width convolutional neural network based on floating gate device" (2021, DOI
10.19358/j.issn.2096-5133.2021.06.007): asymmetric quantisation with training, clipping thresholds sampled and chosen
several times on the way, activations with a learned clipping level (here :class:`neuromorph.train.PACT`). The article
does not print how thresholds are sampled; the candidates here are ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

from neuromorph.errors import NetworkError, TrainingError
from neuromorph.train.recipes.formats import Codes, coded, straight_through
from neuromorph.train.recipes.learned_formats import along, by_channel, limits

Thresholds = Literal["least-squares", "min-max", "percentile"]

_TAILS = (0.0, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.05)
_SHARES = 17
_BETTER = 0.9  # of the present error
_LOOKED_AT = 4096


class Asymmetric(nn.Module):
    """Codes 0 to ``2**bits - 1`` between two thresholds that follow the numbers.

    ``scale = (high - low) / (2**bits - 1)``, ``zero = round(-low / scale)``, ``y = scale * (q - zero)`` with ``q =
    clip(round(x / scale) + zero, 0, 2**bits - 1)``. The thresholds enclose 0 and ``zero`` is whole, so zero stays zero.
    The gradient is 1 between the first and the last number and 0 beyond; the thresholds are not learned but estimated:
    from the first numbers, and once more whenever :class:`RangeUpdates` (or :meth:`renew`) says so.

    ``q - zero`` is at most ``2**bits - 1`` to either side, so a differential pair of cells of so many bits holds it.

    Parameters
    ----------
    bits : int
    thresholds : {"least-squares", "min-max", "percentile"}
        ``"min-max"``: the smallest and the largest number. ``"percentile"``: leave a share ``tail`` out at either side.
        ``"least-squares"``: of those, tails from 0 to 5 %, and of shares 0.2 to 1 of either threshold of min-max, the
        pair with the least squared error; once there is a pair it stays until another has a tenth less, so that the
        numbers do not jump for nothing. Of more than 4,096 numbers in a channel, so many that are evenly spaced in
        order stand for all.
    tail : float
    channels : int, optional
        Thresholds for each of so many channels along ``axis``; default one pair.
    axis : int
    """

    low: Tensor
    high: Tensor

    def __init__(
        self,
        bits: int,
        *,
        thresholds: Thresholds = "least-squares",
        tail: float = 0.001,
        channels: int | None = None,
        axis: int = -1,
    ) -> None:
        super().__init__()
        if thresholds not in ("least-squares", "min-max", "percentile"):
            raise NetworkError(
                f"Asymmetric: thresholds={thresholds!r}; choose 'least-squares', 'min-max' or 'percentile'"
            )
        if not 0 <= tail < 0.5:
            raise NetworkError(f"Asymmetric: tail={tail}; a share of at least 0 and below 0.5", tail=tail)
        self.bits, self.channels, self.axis = bits, channels, axis
        self.thresholds, self.tail = thresholds, tail
        self.top = limits("Asymmetric", bits, False)[1]
        shape = () if channels is None else (channels,)
        self.register_buffer("low", torch.zeros(shape))
        self.register_buffer("high", torch.ones(shape))
        self._seen, self._due = False, True

    def forward(self, x: Tensor) -> Tensor:
        """The nearest numbers of the format."""
        found = self.codes(x)
        first, last = (found.scale * (end - found.zero) for end in (0, self.top))
        return straight_through(x.clamp(first, last), found.values())

    def codes(self, x: Tensor) -> Codes:
        """The same as codes."""
        self._estimate(x)
        scale, zero = (along(each, x, self.channels, self.axis, "Asymmetric") for each in self._grid(x.dtype))
        q = (x.detach() / scale).round_().add_(zero).clamp_(0, self.top)
        return coded(q, scale, 0, self.top, zero)

    def renew(self) -> None:
        """Estimate the thresholds from the next numbers that come in training mode."""
        self._due = True

    def _grid(self, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        scale, zero = _grid(self.low, self.high, self.top)
        return scale.to(dtype), zero.to(dtype)

    def _estimate(self, x: Tensor) -> None:
        if not (self._due and (self.training or not self._seen)) or x.is_meta or not x.numel():
            return
        rows = _sampled(by_channel(x.detach(), self.channels, self.axis))
        if not bool(rows.any()):
            return  # silence says nothing about a range
        if self.thresholds == "least-squares":
            before = (self.low.view(-1).to(x.dtype), self.high.view(-1).to(x.dtype)) if self._seen else None
            low, high = _least_squares(rows, self.top, before)
        else:
            low, high = _tails(rows, self.tail if self.thresholds == "percentile" else 0.0)
        self.low.copy_(low.view(self.low.shape))
        self.high.copy_(high.view(self.high.shape))
        self._seen, self._due = True, False

    def get_extra_state(self) -> dict[str, bool]:
        """What a checkpoint keeps beside the thresholds."""
        return {"seen": self._seen, "due": self._due}

    def set_extra_state(self, state: Any) -> None:
        """Go on from what a checkpoint kept."""
        self._seen, self._due = bool(state["seen"]), bool(state["due"])

    def extra_repr(self) -> str:
        """What ``print`` shows."""
        each = "" if self.channels is None else f", channels={self.channels}"
        return f"bits={self.bits}, thresholds={self.thresholds!r}{each}"


class RangeUpdates:
    """Let every :class:`Asymmetric` of a module estimate its thresholds again after each ``every`` steps.

    Steps are calls of ``step()``: ``Trainer(each_step=[updates])`` counts batches, ``each_epoch`` epochs.

    Parameters
    ----------
    module : torch.nn.Module
    every : int
    until : int, optional
        No estimate after so many steps, so that the numbers settle in their last range.
    """

    def __init__(self, module: nn.Module, every: int, until: int | None = None) -> None:
        if every < 1:
            raise TrainingError(f"RangeUpdates: every={every}; at least 1", every=every)
        if not any(isinstance(each, Asymmetric) for each in module.modules()):
            raise TrainingError("RangeUpdates: the module has no train.Asymmetric format; register one first")
        self.module, self.every, self.until = module, every, until
        self.steps = 0

    def step(self) -> None:
        """One step is over; ask for estimates if it is time."""
        self.steps += 1
        if self.steps % self.every == 0 and (self.until is None or self.steps <= self.until):
            for each in self.module.modules():
                if isinstance(each, Asymmetric):
                    each.renew()

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps; the thresholds are in the module's state."""
        return {"steps": self.steps}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what a checkpoint kept."""
        self.steps = state["steps"]


def _grid(low: Tensor, high: Tensor, top: int) -> tuple[Tensor, Tensor]:
    """Scale and the code of zero."""
    scale = ((high - low) / top).clamp(min=torch.finfo(low.dtype).tiny)
    return scale, (-low / scale).round().clamp(0, top)


def _sampled(rows: Tensor) -> Tensor:
    """Each row in order; of many numbers evenly spaced ones, the ends among them."""
    ordered = rows.sort(1).values
    count = rows.shape[1]
    if count <= _LOOKED_AT:
        return ordered
    return ordered[:, torch.linspace(0, count - 1, _LOOKED_AT, dtype=torch.float64).round().long()]


def _tails(ordered: Tensor, tail: float) -> tuple[Tensor, Tensor]:
    """Thresholds that leave a share of the numbers out at either side; 0 is between them."""
    last = ordered.shape[1] - 1
    cut = round(tail * last)
    return ordered[:, cut].clamp(max=0), ordered[:, last - cut].clamp(min=0)


def _candidates(ordered: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    for below in _TAILS:
        for above in _TAILS:
            yield _tails(ordered, below)[0], _tails(ordered, above)[1]
    low, high = _tails(ordered, 0.0)
    shares = torch.linspace(0.2, 1.0, _SHARES).tolist()
    for below in shares:
        for above in shares:
            yield low * below, high * above


def _least_squares(ordered: Tensor, top: int, before: tuple[Tensor, Tensor] | None) -> tuple[Tensor, Tensor]:
    """The candidate with the least squared error, for each row, of equal ones the first; or what was before."""
    if before is None:
        low, high = _tails(ordered, 0.0)
        best = torch.full_like(low, torch.inf)
    else:
        low, high = before
        best = _error(ordered, low, high, top) * _BETTER
    for below, above in _candidates(ordered):
        error = _error(ordered, below, above, top)
        better = error < best
        best, low, high = (torch.where(better, *pair) for pair in ((error, best), (below, low), (above, high)))
    return low, high


def _error(ordered: Tensor, low: Tensor, high: Tensor, top: int) -> Tensor:
    """Mean squared error of each row."""
    scale, zero = (each[:, None] for each in _grid(low, high, top))
    q = (ordered / scale).round_().add_(zero).clamp_(0, top).sub_(zero)
    return q.mul_(scale).sub_(ordered).square_().mean(1)

"""Negative log-likelihoods of a softmax over many words: of all of them, or estimated from a sample."""

from __future__ import annotations

from math import log

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from neuromorph.errors import NetworkError

_LOGITS = 1 << 25  # logits that exist at one time: 128 MiB of float32
_STRATUM = 1 << 32  # positions in one stratum of the proposal


def softmax_nll(
    hidden: Tensor, targets: Tensor, weight: Tensor, bias: Tensor | None = None, *, logits: int = _LOGITS
) -> Tensor:
    """Negative log-likelihoods ``-log softmax(hidden @ weight.T + bias)[target]`` over all words.

    The logits are made for some rows at a time and made again for the gradient, so memory stays bounded whatever the
    vocabulary. They are float32 at least, also under autocast. ``weight`` may be the table of an embedding (tied).

    Parameters
    ----------
    hidden : (rows, n)
    targets : (rows,) int64
    weight : (words, n)
    bias : (words,), optional
    logits : int
        How many logits may exist at one time.

    Returns
    -------
    (rows,) Tensor
    """
    if len(hidden) * len(weight) <= logits:
        return _nll(hidden, targets, weight, bias)
    rows = max(logits // len(weight), 1)
    again = torch.is_grad_enabled() and (hidden.requires_grad or weight.requires_grad)
    parts = []
    for start in range(0, len(hidden), rows):
        part = hidden[start : start + rows], targets[start : start + rows], weight, bias
        parts.append(checkpoint(_nll, *part, use_reentrant=False, preserve_rng_state=False) if again else _nll(*part))
    return torch.cat(parts)


def _nll(hidden: Tensor, targets: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return functional.cross_entropy(_wide(functional.linear(hidden, weight, bias)), targets, reduction="none")


def _wide(logits: Tensor) -> Tensor:
    return logits if logits.dtype == torch.float64 else logits.float()


def log_uniform(words: int) -> Tensor:
    """Proposal ``log((i + 2) / (i + 1)) / log(words + 1)``: Zipf's law for words numbered from the most frequent."""
    return torch.log1p(1 / torch.arange(1, words + 1, dtype=torch.float64)) / torch.tensor(words + 1.0).double().log()


def unigram(counts: Tensor, power: float = 1.0) -> Tensor:
    """Proposal by how often each word occurs, ``(words,)``, to a ``power``; words never seen count as one occurrence.

    ``power=0`` is the uniform proposal, 0.75 flattens it as word2vec does.
    """
    weights = counts.double().clamp(min=1) ** power
    return weights / weights.sum()


class SampledSoftmax(nn.Module):
    """Negative log-likelihoods of a softmax, while training estimated from a sample of the words.

    The sum over all words in ``log Z - logit(target)``, ``Z = sum_w exp(logit(w))``, is estimated by importance
    sampling: the target is counted exactly, and each other word w that was drawn counts ``1 / expected(w)`` times,
    where ``expected`` is how often it is drawn on average (Bengio and Senécal 2008; for the exact target Blanc and
    Rendle 2018). So the estimate of Z is unbiased, for any proposal, and that of ``log Z``, on average, comes up to it
    from below as the sample grows. A target that is drawn, too, is not counted twice.

    All rows share one sample, so that logits are one matrix product. It is drawn to vary little: words so frequent that
    they would be drawn once or more on average are always in it, and the rest of the proposal is cut into equal
    strata, each of which gives one word.

    In ``eval`` mode this is :func:`softmax_nll`.

    Parameters
    ----------
    proposal : (words,) Tensor
        Probability of each word, such as :func:`log_uniform` or :func:`unigram`; only proportions count.
    samples : int
        Words in a sample.
    """

    always: Tensor
    rest: Tensor
    edges: Tensor
    correction: Tensor

    def __init__(self, proposal: Tensor, samples: int) -> None:
        super().__init__()
        words = len(proposal)
        if not 0 < samples <= words:
            raise NetworkError(f"SampledSoftmax: {samples} samples of {words} words; take 1 to {words}", words=words)
        if not bool((proposal > 0).all()) or not bool(torch.isfinite(proposal).all()):
            raise NetworkError("SampledSoftmax: a probability of the proposal is not a positive number")
        expected = _expected(proposal.double().cpu(), samples)
        certain = expected >= 1
        rest = (~certain).nonzero().squeeze(1)
        self.samples, self.words = samples, words
        self.strata = samples - int(certain.sum())
        # positions are integers, so that narrow words keep their width and every device draws the same
        width = (expected[rest] * _STRATUM).round().long().clamp(min=1)
        if self.strata:
            width[width.argmax()] += self.strata * _STRATUM - width.sum()
        expected[rest] = width.double() / _STRATUM
        self.register_buffer("always", certain.nonzero().squeeze(1), persistent=False)
        self.register_buffer("rest", rest, persistent=False)
        self.register_buffer("edges", width.cumsum(0), persistent=False)
        self.register_buffer("correction", -expected.log().float(), persistent=False)

    def draw(self) -> tuple[Tensor, Tensor]:
        """A sample: ids ``(samples,)``, and what to add to their logits, ``(samples,)``.

        A word that was drawn twice has its correction raised at the first place and is left out (-inf) at the second.
        """
        device = self.edges.device
        if not self.strata:
            return self.always, self.correction[self.always]
        stratum = torch.arange(self.strata, device=device) * _STRATUM
        where = stratum + torch.randint(_STRATUM, (self.strata,), device=device)
        drawn = self.rest[torch.searchsorted(self.edges, where, right=True)]
        correction = self.correction[drawn]
        # strata are in order, and no word is as wide as a stratum: one drawn twice is drawn from neighbours
        twice = drawn[1:] == drawn[:-1]
        correction[:-1] += twice * log(2)
        correction[1:].masked_fill_(twice, -torch.inf)
        return torch.cat([self.always, drawn]), torch.cat([self.correction[self.always], correction])

    def forward(self, hidden: Tensor, targets: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        """Negative log-likelihoods ``(rows,)``; arguments as for :func:`softmax_nll`."""
        if len(weight) != self.words:
            raise NetworkError(f"SampledSoftmax: a table of {len(weight)} words; the proposal has {self.words}")
        if not self.training:
            return softmax_nll(hidden, targets, weight, bias)
        ids, offset = self.draw()
        rows = functional.embedding(torch.cat([ids, targets]), weight)
        own = _wide((hidden * rows[len(ids) :]).sum(-1))
        if bias is not None:
            own = own + bias[targets]
            offset = offset + bias[ids]
        logits = _wide(functional.linear(hidden, rows[: len(ids)])) + offset
        return torch.logaddexp(own, torch.logsumexp(self._without(logits, ids, offset, targets), -1)) - own

    def _without(self, logits: Tensor, ids: Tensor, offset: Tensor, targets: Tensor) -> Tensor:
        """Logits with -inf where a row's target was drawn."""
        # a word drawn twice counts at the first of two places: the later write would hide it, so it writes nowhere
        kept = torch.where(torch.isneginf(offset), self.words, ids)
        place = torch.full((self.words + 1,), len(ids), device=ids.device)
        place[kept] = torch.arange(len(ids), device=ids.device)
        column = place[targets]
        hit = column < len(ids)
        column = column.clamp(max=len(ids) - 1).unsqueeze(1)
        value = torch.where(hit.unsqueeze(1), -torch.inf, logits.gather(1, column))
        return logits.scatter(1, column, value)

    def extra_repr(self) -> str:
        """What ``print`` shows."""
        return f"words={self.words}, samples={self.samples}, always={self.samples - self.strata}"


def _expected(proposal: Tensor, samples: int) -> Tensor:
    """``min(1, c * proposal)`` with the c for which the sum is ``samples``."""
    ordered, order = proposal.sort(descending=True)
    # k most frequent words at 1: the others share samples - k in proportion; the first k for which none exceeds 1
    tail = ordered.flip(0).cumsum(0).flip(0)
    counts = torch.arange(len(ordered), dtype=ordered.dtype)
    fits = ordered * (samples - counts) <= tail
    certain = int(fits.to(torch.int8).argmax()) if bool(fits.any()) else len(ordered)
    certain = min(certain, samples)
    shares = torch.ones_like(ordered)
    if certain < len(ordered):
        shares[certain:] = ordered[certain:] * ((samples - certain) / tail[certain])
    return torch.empty_like(shares).scatter_(0, order, shares)

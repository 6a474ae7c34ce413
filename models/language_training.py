"""Training of language models in PyTorch: EGRU layers, and a GRU and an LSTM of equal size to hold them against.

Embedding and softmax are the same for all three, so is everything else of a recipe.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise
from math import exp
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from neuromorph import train
from neuromorph.errors import TrainingError
from neuromorph.network import Live, Network
from neuromorph.units import ms

from . import wikitext
from .egru_layers import EGRUWeights, egru_stack, read_egru_layer
from .language_model import LanguageModel
from .language_recipes import Cell, Recipe

_ROWS = 1024  # words for which outputs exist at one time when a text is scored


def untrained(recipe: Recipe, counts: np.ndarray[Any, Any], seed: int = 0) -> LanguageModel:
    """The model with which training begins.

    Weights are EvNN's initialisation, with the recipe's thresholds; the softmax's bias is the logarithm of how often
    each word occurs, ``counts`` (words,), so that this need not be learnt.
    """
    model = LanguageModel.random(len(counts), recipe.width, recipe.hidden, threshold=recipe.thresholds, seed=seed)
    first = replace(model.layers[0], kernel=model.layers[0].kernel * np.float32(recipe.gain))
    layers = (first, *model.layers[1:])
    if recipe.spread:
        rng = np.random.default_rng(seed)
        a = 3 * recipe.thresholds / (1 - recipe.thresholds)
        layers = tuple(replace(x, threshold=rng.beta(a, 3, x.units).astype(np.float32)) for x in layers)
    frequency = np.maximum(counts, 1) / counts.sum()
    return LanguageModel(model.embedding, layers, np.log(frequency).astype(np.float32))


class EGRULayers(nn.Module):
    """Layers of EGRU units: the network of :class:`LanguageModel`, printed for PyTorch.

    Without a recipe there is no dropout, and the surrogate is the default one.
    """

    def __init__(self, layers: tuple[EGRUWeights, ...], recipe: Recipe | None = None) -> None:
        super().__init__()
        net = Network(name="layers")
        source = net.population(Live(len(layers[0].kernel), graded=True), name="embedding")
        self.names = [layer.name for layer in egru_stack(net, source, layers)]
        surrogate = train.Triangle(recipe.dampening, recipe.support) if recipe else None
        self.module = train.Module(net, dt=1 * ms, surrogate=surrogate, outputs=self.names)
        for name in self.names:
            self.module.population(name).theta.requires_grad_(False)
        if recipe is None:
            return
        for name in self.names[:-1]:
            self.module.after(name, train.LockedDropout(recipe.forward_dropout))
        if recipe.connect_dropout:
            for name in recurrent(self.names):
                drop = train.DropConnect(recipe.connect_dropout)
                parametrize.register_parametrization(self.module.projection(name), "weight", drop)

    def forward(self, x: Tensor, state: Any) -> tuple[list[Tensor], Any]:
        """Outputs of every layer, (steps, batch, units) each, and the state after them."""
        y, state = self.module({"embedding": x}, state)
        return [y[name] for name in self.names], state

    def weights(self) -> tuple[EGRUWeights, ...]:
        """The layers as they are now."""
        net = self.module.network()
        return tuple(read_egru_layer(net, name) for name in self.names)


class TorchLayers(nn.Module):
    """Layers of PyTorch's GRU or LSTM, about as many parameters as the EGRU layers of a recipe."""

    def __init__(self, cell: Cell, recipe: Recipe) -> None:
        super().__init__()
        sizes = equal_sizes(cell, recipe)
        kind = nn.GRU if cell == "gru" else nn.LSTM
        layers = [kind(inputs, units) for inputs, units in pairwise(sizes)]
        with torch.no_grad():
            dict(layers[0].named_parameters())["weight_ih_l0"].mul_(recipe.gain)
        self.layers = nn.ModuleList(layers)
        self.between = train.LockedDropout(recipe.forward_dropout)
        if recipe.connect_dropout:
            for layer in self.layers:
                drop = train.DropConnect(recipe.connect_dropout)
                parametrize.register_parametrization(layer, "weight_hh_l0", drop)

    def forward(self, x: Tensor, state: Any) -> tuple[list[Tensor], Any]:
        """Outputs of every layer, (steps, batch, units) each, and the state after them."""
        outputs, states = [], []
        for number, layer in enumerate(self.layers):
            y, after = layer(x if number == 0 else self.between(x), None if state is None else state[number])
            x = y
            outputs.append(y)
            states.append(after)
        return outputs, states


class WordModel(nn.Module):
    """Embedding, layers and a softmax that shares the embedding; ``outputs, state = model(ids, state)``.

    Parameters
    ----------
    model : LanguageModel
        Where training begins; of its layers only the EGRU is taken.
    recipe : Recipe
    counts : int array (words,)
        How often each word occurs, for the softmax's sample.
    cell : {"egru", "gru", "lstm"}
    """

    layers: EGRULayers | TorchLayers

    def __init__(self, model: LanguageModel, recipe: Recipe, counts: np.ndarray[Any, Any], cell: Cell = "egru") -> None:
        super().__init__()
        self.embedding = nn.Parameter(torch.tensor(model.embedding))
        self.bias = nn.Parameter(torch.tensor(model.bias))
        self.layers = EGRULayers(model.layers, recipe) if cell == "egru" else TorchLayers(cell, recipe)
        self.words = train.WordDropout(recipe.word_dropout)
        self.before = train.LockedDropout(recipe.embedding_dropout)
        self.behind = train.LockedDropout(recipe.forward_dropout)
        self.softmax: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor] = train.softmax_nll
        if recipe.samples is not None:
            self.softmax = train.SampledSoftmax(train.unigram(torch.tensor(counts), 0.75), recipe.samples)

    def forward(self, ids: Tensor, state: Any = None) -> tuple[list[Tensor], Any]:
        """Outputs of every layer for ids (steps, batch), and the state after them."""
        x = self.before(self.words(ids, self.embedding))
        return cast(tuple[list[Tensor], Any], self.layers(x, state))

    def nll(self, outputs: list[Tensor], targets: Tensor) -> Tensor:
        """Mean negative log-likelihood of targets (steps, batch): the loss."""
        hidden = self.behind(outputs[-1]).flatten(0, 1)
        return self.softmax(hidden, targets.flatten(), self.embedding, self.bias).mean()

    def language_model(self, meta: Mapping[str, Any]) -> LanguageModel:
        """The weights as they are now, to be run on any target.

        Raises
        ------
        TrainingError
            If the layers are no EGRU.
        """
        if not isinstance(self.layers, EGRULayers):
            raise TrainingError("WordModel: only EGRU layers are a network; a GRU's or LSTM's weights stay in PyTorch")
        table, bias = (x.detach().cpu().numpy().copy() for x in (self.embedding, self.bias))
        return LanguageModel(table, self.layers.weights(), bias, meta)


def equal_sizes(cell: Cell, recipe: Recipe) -> tuple[int, ...]:
    """Widths from the embedding to the last layer: for an LSTM, whose units have four gates, narrower before the last.

    The last layer must be as wide as the embedding. Those before it keep their proportions, and the parameters of all
    layers together come as near to the recipe's EGRU as whole units allow.
    """
    if cell != "lstm":
        return (recipe.width, *recipe.hidden, recipe.width)
    aim = _parameters(3, (recipe.width, *recipe.hidden, recipe.width))
    widest = max(recipe.hidden, default=0)
    choices = [
        (recipe.width, *(max(round(h * units / widest), 1) for h in recipe.hidden), recipe.width)
        for units in range(1, widest + 1)
    ]
    return min(choices or [(recipe.width, recipe.width)], key=lambda sizes: abs(_parameters(4, sizes) - aim))


def _parameters(gates: int, sizes: tuple[int, ...]) -> int:
    return sum(gates * units * (inputs + units + 2) for inputs, units in pairwise(sizes))


def recurrent(names: list[str]) -> list[str]:
    """Names of the recurrent projections of EGRU layers."""
    return [f"{name} -> {name}.{port}" for name in names for port in ("a_u", "a_r", "a_y")]


def word_counts(ids: np.ndarray[Any, Any], words: int) -> np.ndarray[Any, Any]:
    """How often each word occurs in a text."""
    return np.bincount(ids, minlength=words)


def score(
    model: WordModel, ids: np.ndarray[Any, Any], batch: int = 1, *, window: int | None = None
) -> dict[str, float]:
    """Perplexity of a text with all words in the softmax, and the fraction of outputs of each layer that are not zero.

    Parameters
    ----------
    model : WordModel
        In ``eval`` mode.
    ids : int array (n,)
    batch : int
        Pieces that run side by side: 1 carries the state through the whole text, as published figures do. The first
        word of each piece is not scored.
    window : int, optional
        Carry only outputs from each so many words to the next, see :meth:`LanguageModel.network`.
    """
    device = model.embedding.device
    stream = train.columns(torch.tensor(ids, dtype=torch.long, device=device), batch)
    state, total, scored = None, 0.0, 0
    active: Tensor | float = 0.0
    units: list[int] = []
    with torch.no_grad():
        for inputs, targets in train.Windows(stream[:-1], stream[1:], window or max(_ROWS // batch, 1)):
            outputs, state = model(inputs, state)
            state = train.carried(state, "outputs" if window else "all")
            hidden = outputs[-1].flatten(0, 1)
            total += train.softmax_nll(hidden, targets.flatten(), model.embedding, model.bias).double().sum().item()
            scored += targets.numel()
            active = active + torch.stack([torch.count_nonzero(y) for y in outputs]).double()
            units = [y.shape[-1] for y in outputs]
    events = torch.as_tensor(active).tolist()
    found = {"perplexity": exp(total / scored)}
    return found | {f"activity{k}": n / scored / m for k, (n, m) in enumerate(zip(events, units, strict=True), 1)}


def read(
    model: LanguageModel, ids: np.ndarray[Any, Any], *, window: int | None = None, ordered: bool = False
) -> tuple[np.ndarray[Any, Any], dict[str, int]]:
    """As :meth:`LanguageModel.read`, by PyTorch: what the last layer sends for each word, and each layer's events.

    With ``ordered``, sums are taken in the engines' order (:class:`neuromorph.train.Ordered`).
    """
    layers = EGRULayers(model.layers).eval()
    module = train.Ordered(layers.module) if ordered else layers.module
    table, rows = torch.tensor(model.embedding), torch.tensor(ids, dtype=torch.long).unsqueeze(1)
    y = np.empty((len(ids), model.embedding.shape[1]), np.float32)
    events = dict.fromkeys(layers.names, 0)
    state = None
    with torch.no_grad():
        steps = window or _ROWS
        for first in range(0, len(ids), steps):
            sent, state = module({"embedding": table[rows[first : first + steps]]}, state)
            state = train.carried(state, "outputs" if window else "all")
            y[first : first + steps] = sent[layers.names[-1]].squeeze(1).numpy()
            for name in layers.names:
                events[name] += int(torch.count_nonzero(sent[name]))
    return y, events


def trainer(
    model: WordModel,
    recipe: Recipe,
    ids: np.ndarray[Any, Any],
    watch: np.ndarray[Any, Any],
    *,
    clock: Callable[[], float],
    **options: Any,
) -> tuple[train.Trainer, train.Windows]:
    """The trainer of a recipe, and the text cut into windows as ``Trainer.fit`` takes it.

    Parameters
    ----------
    model : WordModel
    recipe : Recipe
    ids, watch : int array
        The text to learn, and the one whose beginning is scored after each epoch.
    clock : callable
        Seconds of computing so far, recorded after each epoch.
    **options
        Further options of :class:`neuromorph.train.Trainer`.
    """
    stream = train.columns(torch.tensor(ids, dtype=torch.long), recipe.batch)
    data = train.Windows(stream[:-1], stream[1:], recipe.window, jitter=recipe.jitter)
    optimiser = torch.optim.AdamW(
        train.decay_groups(model, recipe.decay), lr=recipe.rate, betas=recipe.betas, fused=True
    )
    batches = recipe.epochs * len(data)
    warmup = min(recipe.warmup, batches // 10)
    start = max(round(recipe.cosine_from * len(data)), warmup)
    schedule = train.CosineFrom(optimiser, start, batches, floor=recipe.floor, warmup=warmup)

    window = recipe.cut if isinstance(model.layers, EGRULayers) else None

    def evaluate(_: nn.Module) -> dict[str, float]:
        found = score(model, watch[: recipe.watched], batch=16, window=window)
        return {f"valid_{name}": value for name, value in found.items()} | {"computing": clock()}

    made = train.Trainer(
        model,
        model.nll,
        optimiser,
        carry="outputs" if window else "all",
        clip=recipe.clip,
        each_step=[schedule, *options.pop("each_step", ())],
        evaluate=evaluate,
        **options,
    )
    return made, data


def corpus() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """WikiText-2's training text, and how often each word occurs in it."""
    ids = wikitext.tokens("train")
    return ids, word_counts(ids, len(wikitext.vocabulary()))

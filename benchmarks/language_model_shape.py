"""The published language model by its shape: 750, 1350, 1350 and 750 units, random weights, 5 % of them kept.

Its weights are not published, so words mean nothing to it; sizes, density and activity are those of the model. All
thresholds of a layer are equal, and so high that the wanted share of units fires.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from neuromorph import Lookup, Network, Sparse
from neuromorph.language import Event, Param, Port, State, floor, neuron, sigmoid, step, tanh, where
from neuromorph.models import wikitext
from neuromorph.models.egru_layers import EGRUWeights
from neuromorph.models.language_model import LanguageModel
from neuromorph.network import Population

Floats = npt.NDArray[np.float32]
WIDTH, HIDDEN, WORDS = 750, (1350, 1350), 33_278
DENSITY, ACTIVE, TOKENS, PES = 0.05, 0.15, 70, 150
"""Share of the weights, share of the units that fire in a step, words of a sequence, PEs."""
_BISECTIONS = 14


def ids() -> npt.NDArray[np.int32]:
    """The first words of WikiText-2's test text."""
    return wikitext.tokens("test")[:TOKENS]


def model(density: float = DENSITY, active: float = ACTIVE, seed: int = 0) -> LanguageModel:
    """A random model whose layers fire as wanted on :func:`ids`, with numbers as its file keeps them."""
    rng = np.random.default_rng(seed)
    embedding = rng.normal(0, 1, (WORDS, WIDTH)).astype(np.float32)
    drawn = LanguageModel.random(1, WIDTH, HIDDEN, seed=seed).layers
    zeros = np.zeros(WORDS, np.float32)
    layers = tuple(_thinned(layer, density, rng) for layer in drawn)
    stored = LanguageModel(embedding, layers, zeros).stored()
    return LanguageModel(stored.embedding, _calibrated(stored.layers, stored.embedding[ids()], active), zeros)


def _thinned(layer: EGRUWeights, density: float, rng: np.random.Generator) -> EGRUWeights:
    """A layer with a share of its weights, larger so that sums have the same variance."""

    def kept(matrix: Floats) -> Floats:
        chosen = rng.random(matrix.shape) < density
        return np.where(chosen, matrix / np.sqrt(density), 0).astype(np.float32)

    return replace(layer, kernel=kept(layer.kernel), recurrent_kernel=kept(layer.recurrent_kernel))


def _calibrated(layers: Sequence[EGRUWeights], x: Floats, active: float) -> tuple[EGRUWeights, ...]:
    """Thresholds, layer after layer, by bisection; float16 numbers, which files keep exactly."""
    found = []
    for layer in layers:
        low, high = 0.0, 1.0
        for _ in range(_BISECTIONS):
            theta = np.float32(np.float16((low + high) / 2))
            if np.count_nonzero(outputs(layer, x, theta)) > active * len(x) * layer.units:
                low = float(theta)
            else:
                high = float(theta)
        found.append(replace(layer, threshold=np.full(layer.units, theta, np.float32)))
        x = outputs(layer, x, theta)
    return tuple(found)


def outputs(layer: EGRUWeights, x: Floats, theta: np.float32) -> Floats:
    """What a layer (EvNN's form) without biases emits for a sequence (steps, inputs)."""
    h = layer.units
    c = y = np.zeros(h, np.float32)
    emitted = []
    for a in x @ layer.kernel:
        b = y @ layer.recurrent_kernel
        u, r = 1 / (1 + np.exp(-a[:h] - b[:h])), 1 / (1 + np.exp(-a[h : 2 * h] - b[h : 2 * h]))
        c = u * c + (1 - u) * np.tanh(a[2 * h :] + r * b[2 * h :])
        y = np.where(c > theta, c, np.float32(0))
        c = c - (c > theta) * theta
        emitted.append(y)
    return np.array(emitted)


@neuron
class EGRUInTurn:
    """:class:`neuromorph.models.EGRUEvNN` that works in one of ``period`` steps and waits in the others."""

    a_u, a_r, a_x, a_y = Port(), Port(), Port(), Port()
    theta, start, period = Param(0.3), Param(0, dtype=int), Param(1, dtype=int)
    c = State(0.0)

    position = step - start
    # the quotient of a multiple is exact, so no rounding makes or hides one
    turn = (step >= start) & (position == period * floor(position / period))
    u = sigmoid(a_u)
    r = sigmoid(a_r)
    g = tanh(a_x + r * a_y)
    c.next = where(turn, u * c + (1 - u) * g, c)
    y = Event(when=turn & (c > theta), value=c)
    c.reset = c - theta


def in_turn(model: LanguageModel, words: npt.NDArray[np.int32]) -> Network:
    """The model with one layer at work at a time, so that a word has left before the next comes.

    Word t comes in step n t, for n layers; layer k works on it in step n t + k. Layers have no biases.
    """
    period = len(model.layers)
    given = np.full(period * len(words), -1, np.int32)
    given[::period] = words
    net = Network(name="language_model_in_turn")
    pre: Population = net.population(Lookup(model.embedding, given), name="embedding")
    for number, layer in enumerate(model.layers, 1):
        units = EGRUInTurn(theta=layer.threshold, start=number, period=period)
        post = net.population(units, layer.units, name=f"egru{number}")
        for name, source, kernel, delay in (
            ("a_x", pre, layer.kernel, 1),
            ("a_y", post, layer.recurrent_kernel, period),
        ):
            for gate, port in enumerate(("a_u", "a_r", name)):
                matrix = kernel[:, gate * layer.units : (gate + 1) * layer.units]
                rows, columns = np.nonzero(matrix)
                net.project(source, getattr(post, port), Sparse((rows, columns, matrix[rows, columns])), delay=delay)
        pre = post
    return net


def by_synapses(model: LanguageModel, pes: int = PES) -> npt.NDArray[np.int32]:
    """A partition: PEs to layers as they have weights, each with as many units; the first layer's also send words."""
    weights = [np.count_nonzero(layer.kernel) + np.count_nonzero(layer.recurrent_kernel) for layer in model.layers]
    shares = np.round(pes * np.cumsum([0, *weights]) / sum(weights)).astype(int)
    width = model.embedding.shape[1]
    part = [np.arange(width) * shares[1] // width]
    for layer, first, last in zip(model.layers, shares[:-1], shares[1:], strict=True):
        part.append(first + np.arange(layer.units) * (last - first) // layer.units)
    return np.concatenate(part).astype(np.int32)

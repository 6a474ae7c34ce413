"""What ``low_bits.py`` trains: networks, their data and how they are scored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuromorph import Network
from neuromorph.engine import Target
from neuromorph.models import EGRUEvNNCoded, braille_letters, classifier, digits, perceptron
from neuromorph.train import Rectangle, Surrogate

_Batch = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]


@dataclass(frozen=True)
class Task:
    """A network and what it is trained on.

    Attributes
    ----------
    splits : int
        Random splits of the data.
    start : callable
        The float network of a split, if one comes with neuromorph.
    epoch : callable
        ``epoch(seed, rng)``: batches of events (samples, steps, n) and labels.
    accuracy : callable
        ``accuracy(target, network, seed)`` on what was held out.
    rounding : callable
        ``rounding(network, bits)``: neurons inside a recurrence that round their events.
    verdict : str
        Population that gives the evidence.
    biases : tuple of str
        ``"population.parameter"``.
    outside, inside : tuple of str
        Populations of graded events: without and with a recurrence.
    priced : tuple of str
        Populations whose activity costs ``price``.
    frozen : tuple of str
        ``"population.parameter"`` that does not train.
    range_rate : float or None
        Learning rate of steps and clipping levels as a share of their first value: Adam moves by about its rate in each
        batch, and a step of 1/15 that moves by 1/300 does not settle in a recurrence.
    """

    name: str
    splits: int
    untrained: Callable[[int], Network]
    start: Callable[[int], Network | None]
    epoch: Callable[[int, np.random.Generator], Iterator[_Batch]]
    accuracy: Callable[[Target, Network, int], float]
    batches: int
    first_epochs: int
    first_rate: float
    epochs: int
    rate: float
    verdict: str
    biases: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()
    inside: tuple[str, ...] = ()
    rounding: Callable[[Network, int], Network] = lambda network, bits: network
    priced: tuple[str, ...] = ()
    price: float = 0.0
    frozen: tuple[str, ...] = ()
    range_rate: float | None = None
    surrogate: Surrogate | None = None


def shifted(images: np.ndarray[Any, Any], rng: np.random.Generator) -> np.ndarray[Any, Any]:
    """Each image (n, 784) moved by up to a pixel, at random."""
    around = np.pad(images.reshape(-1, 28, 28), ((0, 0), (1, 1), (1, 1)))
    views = np.lib.stride_tricks.sliding_window_view(around, (28, 28), (1, 2))
    moved = views[np.arange(len(images)), rng.integers(0, 3, len(images)), rng.integers(0, 3, len(images))]
    return moved.reshape(len(images), 784)


def _digits(code: Callable[[Any], Any]) -> Callable[[int, np.random.Generator], Iterator[_Batch]]:
    def epoch(seed: int, rng: np.random.Generator) -> Iterator[_Batch]:
        (images, labels), (chosen, _) = digits.images(), digits.split(seed)
        for batch in rng.permutation(chosen).reshape(-1, 100):
            yield code(shifted(images[batch], rng)), labels[batch].astype(np.int64)

    return epoch


def _perceptron_accuracy(target: Target, network: Network, seed: int) -> float:
    (images, labels), (_, held_out) = digits.images(), digits.split(seed)
    program = target.compile(network, dt=classifier.DT)
    return perceptron.classify(program, images[held_out]).accuracy(labels[held_out])


def _spiking_accuracy(target: Target, network: Network, seed: int) -> float:
    (images, labels), (_, held_out), task = digits.images(), digits.split(seed), digits.TASKS["spiking"]
    return classifier.classify(target, network, task.code(images[held_out]), task.steps).accuracy(labels[held_out])


def _letters(seed: int, rng: np.random.Generator) -> Iterator[_Batch]:
    data, (chosen, _) = braille_letters.recordings(), braille_letters.split(seed)
    for batch in rng.permutation(chosen).reshape(-1, 72):
        yield data.pressure[batch], data.letters[batch]


def _letters_accuracy(target: Target, network: Network, seed: int) -> float:
    data, (_, held_out), steps = braille_letters.recordings(), braille_letters.split(seed), braille_letters.RUN["egru"]
    return classifier.classify(target, network, data.pressure[held_out], steps).accuracy(data.letters[held_out])


def _coded_egru(network: Network, bits: int) -> Network:
    """Its units send ``1 / (2**bits - 1)`` times a whole number, to begin with."""
    made = Network(network.seed, network.name)
    for population in network.populations:
        model: Any = population.neuron
        if population.name == "egru":
            top = 2**bits - 1
            model = EGRUEvNNCoded(**dict(model.values), quantum=1 / top, top=float(top))
        made.population(model, population.shape, population.name)
    for projection in network.projections:
        post = made.populations[projection.post.index].port(projection.port)
        pre = made.populations[projection.pre.index]
        made.project(pre, post, projection.rule, projection.weight, projection.delay, projection.name)
    return made


TASKS = {
    task.name: task
    for task in (
        Task(
            "perceptron", 3, lambda seed: perceptron.perceptron(seed=seed), lambda seed: None,
            _digits(perceptron.code), _perceptron_accuracy, 80, 20, 2e-3, 8, 1e-3, "digits",
            ("hidden1.b", "hidden2.b", "digits.b"), outside=("hidden1", "hidden2"), surrogate=Rectangle(1e-3),
        ),
        Task(
            "braille", 1, lambda seed: braille_letters.egru(seed=seed),
            lambda seed: braille_letters.trained("egru") if seed == 0 else None,
            _letters, _letters_accuracy, 12, 60, 1e-2, 30, 3e-3, "letters",
            ("egru.b_u", "egru.b_r", "egru.b_x", "egru.b_y"), inside=("egru",), rounding=_coded_egru,
            priced=("egru",), price=0.3, frozen=("egru.theta",), range_rate=0.005,
        ),
        Task(
            "spiking", 1, lambda seed: digits.spiking(seed=seed),
            lambda seed: digits.trained("spiking") if seed == 0 else None,
            _digits(digits.latency), _spiking_accuracy, 80, 30, 3e-3, 8, 1e-3, "digits",
            priced=("hidden",), price=2.0,
        ),
    )
}  # fmt: skip

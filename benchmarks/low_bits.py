"""Networks trained in few bits by each method, and networks trained with noise on their weights.

    python benchmarks/low_bits.py --out benchmarks/results         # about half an hour on one core; then
    python benchmarks/low_bits_report.py                           # puts the figures into the README
    python benchmarks/low_bits.py perceptron --splits 1 --bits 4 --trained out/perceptron_4bit.h5

Each network is trained in float, then trained on for some epochs: once more in float, and in few bits from the same
float weights by each method. Weights and biases have the method's format; so have the events that are graded, but those
inside a recurrence, which the neuron rounds by a learned step. Accuracy is that of the network that comes back, run on
the CPU engine on what was held out.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import torch
from engine_report import machine
from low_bits_report import Noisy, Result, Run, read, write
from low_bits_tasks import TASKS, Task
from torch import nn
from torch.nn.utils import parametrize

from neuromorph import CPU, Network, train
from neuromorph.models import classifier, perceptron


@dataclass(frozen=True)
class Method:
    """Formats by bits: of weights and biases, and of events that a population of so many neurons sends.

    Attributes
    ----------
    weights : callable
        ``weights(bits)``.
    events : callable
        ``events(bits, neurons)``, above zero.
    """

    weights: Callable[[int], nn.Module]
    events: Callable[[int, int], nn.Module]


METHODS = {
    "nor_flash": Method(train.Asymmetric, lambda bits, n: train.PACT(bits)),
    "pact": Method(lambda bits: train.PACT(bits, signed=True), lambda bits, n: train.PACT(bits)),
    "lsq": Method(train.LSQ, lambda bits, n: train.LSQ(bits, signed=False, size=n)),
    "tqt": Method(train.TQT, lambda bits, n: train.TQT(bits, signed=False)),
}
RANGES = ("alpha", "step", "quantum")  # have rates in proportion to their size where a task says so
FAST, FAST_RATE = ("alpha", "log2_t"), 1e-2  # otherwise steps train as weights do, and these at a rate of their own
UPDATES, SETTLE = 20, 0.5  # estimates of a range if they went on to the end, and the share after which they stop
TRAINED_WITH, CELLS, DRAWS = (0.0, 0.1), (0.0, 0.05, 0.1, 0.15), 5  # noise relative to the largest weight


@dataclass(frozen=True)
class Trained:
    """A network after training, in the module and as it comes back."""

    module: train.Module
    network: Network
    events: dict[str, nn.Module]


def fine_tuned(
    task: Task, network: Network, seed: int, epochs: int, bits: int | None = None, method: Method | None = None, *,
    noise: float = 0.0, rate: float | None = None,
) -> Trained:  # fmt: skip
    """Train a network on; in few bits if a method is given."""
    torch.manual_seed(seed)
    start = network if bits is None else task.rounding(network, bits)
    asked = {name: ["quantum"] for name in task.inside} if bits is not None else {}
    inside = [f"{name}.fired" for name in task.priced]
    module = train.Module(
        start, classifier.DT, outputs=[task.verdict, *inside], surrogate=task.surrogate, trainable=asked
    )
    for name in task.frozen:
        population, parameter = name.split(".")
        getattr(module.population(population), parameter).requires_grad_(False)
    events = {}
    if bits is not None and method is not None:
        for layer, parameter in places(module, task):
            parametrize.register_parametrization(layer, parameter, train.Quantised(method.weights(bits)))
        for name in task.outside:
            events[name] = method.events(bits, network[name].size)
            module.after(name, train.Quantised(events[name]))
    if noise:
        train.parametrise(module, lambda: train.WeightNoise(noise))
    learn(module, task, seed, epochs, task.rate if rate is None else rate)
    module.eval()
    return Trained(module, module.network(), events)


def places(module: train.Module, task: Task) -> list[tuple[nn.Module, str]]:
    """Weights and biases."""
    biases = [name.split(".") for name in task.biases]
    return [*train.weights_of(module).values(), *((module.population(p), value) for p, value in biases)]


def learn(module: train.Module, task: Task, seed: int, epochs: int, rate: float) -> None:
    """The loop of PyTorch."""
    rng = np.random.default_rng(seed)
    if task.range_rate is not None:
        with torch.no_grad():  # formats of events get their first value
            module(torch.from_numpy(next(task.epoch(seed, rng))[0]).transpose(0, 1))
    groups: list[dict[str, Any]] = [{"params": [], "lr": rate}]
    for name, p in module.named_parameters():
        kind = name.split(".")[-1]
        if kind in RANGES and task.range_rate is not None:
            groups.append({"params": [p], "lr": task.range_rate * float(p.detach().abs().max())})
        elif kind in FAST:
            groups.append({"params": [p], "lr": FAST_RATE})
        elif p.requires_grad:
            groups[0]["params"].append(p)
    optimiser = torch.optim.Adam(groups)
    count = epochs * task.batches
    schedules: list[Any] = [torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, count)]
    if any(isinstance(each, train.Asymmetric) for each in module.modules()):
        schedules.append(train.RangeUpdates(module, max(count // UPDATES, 1), round(SETTLE * count)))
    for _ in range(epochs):
        for x, label in task.epoch(seed, rng):
            y, _ = module(torch.from_numpy(x).transpose(0, 1))
            error = torch.nn.functional.cross_entropy(y[task.verdict][-1], torch.from_numpy(label))
            loss = error + task.price * sum(train.activity(y[f"{name}.fired"]) for name in task.priced)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(module.parameters(), 1.0)
            optimiser.step()
            for each in schedules:
                each.step()


def deployed(task: Task, found: Trained, bits: int | None) -> Network:
    """The network for any target: rectifiers whose events are rounded become neurons that round."""
    if bits is None or not found.events:
        return found.network
    one = torch.ones(1)
    quanta = {name: float(format.codes(one).scale) for name, format in found.events.items()}  # type: ignore[operator]
    return perceptron.coded(found.network, quanta, 2**bits - 1)


def one_split(task: Task, seed: int, every: list[int], methods: list[str], trained: Path | None) -> list[Run]:
    """Every method and number of bits on one split."""
    began = process_time()
    start = task.start(seed)
    if start is None:
        untrained = task.untrained(seed)
        start = fine_tuned(task, untrained, seed, task.first_epochs, rate=task.first_rate).network
    rows = []

    def add(method: str, bits: int, network: Network) -> None:
        accuracy = task.accuracy(CPU(threads=1), network, seed)
        rows.append(Run(task.name, method, bits, seed, accuracy))
        print(f"{task.name}, split {seed}, {method}, {bits} bits: {accuracy:.2%} ({process_time() - began:.0f} s)")

    add("float", 32, fine_tuned(task, start, seed, task.epochs).network)
    for name in methods:
        for bits in every:
            found = fine_tuned(task, start, seed, task.epochs, bits, METHODS[name])
            network = deployed(task, found, bits)
            add(name, bits, network)
            if trained is not None and seed == 0 and (name, bits) == (methods[0], every[0]):
                about = {"split": seed, "epochs": task.epochs, "accuracy": rows[-1].accuracy, "method": name}
                perceptron.save(trained, network, 2**bits - 1, about)
    return rows


def noisy(network: Network, sigma: float, rng: np.random.Generator) -> Network:
    """Gaussian noise on every weight, relative to the largest of its matrix: cells that miss their level."""
    values = dict(classifier.parameters(network))
    for name in (each.name for each in network.projections):
        spread = sigma * np.abs(values[name]).max()
        values[name] = (values[name] + rng.normal(0, spread, values[name].shape)).astype(np.float32)
    return classifier.with_parameters(network, values)


def under_noise(task: Task, seed: int) -> list[Noisy]:
    """A network in 4 bits with and without noise in training, run with noise on its cells."""
    start = fine_tuned(task, task.untrained(seed), seed, task.first_epochs, rate=task.first_rate).network
    rows = []
    for trained_with in TRAINED_WITH:
        found = fine_tuned(task, start, seed, task.epochs, 4, METHODS["nor_flash"], noise=trained_with)
        network = deployed(task, found, 4)
        for sigma in CELLS:
            rng = np.random.default_rng(seed)
            draws = [noisy(network, sigma, rng) for _ in range(DRAWS if sigma else 1)]
            accuracies = tuple(task.accuracy(CPU(threads=1), each, seed) for each in draws)
            rows.append(Noisy(seed, trained_with, sigma, accuracies))
            print(f"noise, split {seed}, trained with {trained_with}, cells {sigma}: {np.mean(accuracies):.2%}")
    return rows


def main() -> None:
    """Train, run, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(TASKS)} or noise (default: all)")
    parser.add_argument("--splits", type=int, help="instead of each task's number of random splits")
    parser.add_argument("--bits", default="4,8,3,2", help="default: 4,8,3,2")
    parser.add_argument("--methods", default=",".join(METHODS), help=f"default: {','.join(METHODS)}")
    parser.add_argument("--trained", type=Path, help="write the perceptron of the first method and bits here")
    parser.add_argument("--out", type=Path, help="folder for low_bits.json and low_bits.md; parts that it has are kept")
    options = parser.parse_args()
    parts = options.parts or [*TASKS, "noise"]
    if unknown := set(parts) - {*TASKS, "noise"}:
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(TASKS)}, noise")
    torch.set_num_threads(1)
    bits, methods = [int(b) for b in options.bits.split(",")], options.methods.split(",")
    for part in parts:
        task = TASKS["perceptron" if part == "noise" else part]
        runs: list[Run] = []
        noise: list[Noisy] = []
        for seed in range(options.splits or task.splits):
            if part == "noise":
                noise += under_noise(task, seed)
            else:
                runs += one_split(task, seed, bits, methods, options.trained if part == "perceptron" else None)
            if options.out is not None:
                keep(options.out, part, runs, noise)


def keep(folder: Path, part: str, runs: list[Run], noise: list[Noisy]) -> None:
    """Write what was found of a part beside what the folder has of the others."""
    file = folder / "low_bits.json"
    before = read(file) if file.exists() else Result({}, (), ())
    order = list(TASKS)
    rows = sorted((*(r for r in before.runs if r.task != part), *runs), key=lambda r: order.index(r.task))
    write(Result(machine(), tuple(rows), tuple(noise) if part == "noise" else before.noise), folder)


if __name__ == "__main__":
    main()

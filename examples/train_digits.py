"""Train a spiking network and a layer of EGRU units on digits coded as events, and run them on simulated SpiNNaker2.

The loop is plain PyTorch: a network of neuromorph is a module like any other. Only MNIST's 10,000 test images are in
this repository, so 8,000 of them train, shifted by up to a pixel, and 2,000 test. What was learnt goes back into the
network, which runs on the CPU engine and on SpiNNaker2, with the weights as they are and in 8 bits. Takes one to two
minutes for each network on one core.

    python examples/train_digits.py [spiking] [egru] [--splits N] [--out FOLDER]
    python examples/train_digits.py --trained         # no training: the parameters that come with neuromorph
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

import numpy as np

from neuromorph import CPU, Network
from neuromorph.mapping.spinnaker2 import SpiNNaker2
from neuromorph.models import classifier, digits

#: Hidden layer, epochs, learning rate and the price of its activity, by network.
RECIPES = {"spiking": ("hidden", 30, 3e-3, 2.0), "egru": ("egru", 30, 5e-3, 0.2)}
BATCH = 100


def shifted(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each image (n, 784) moved by up to a pixel, at random: (n, 28, 28)."""
    around = np.pad(images.reshape(-1, 28, 28), ((0, 0), (1, 1), (1, 1)))
    places = np.lib.stride_tricks.sliding_window_view(around, (28, 28), (1, 2))
    return places[np.arange(len(images)), rng.integers(0, 3, len(images)), rng.integers(0, 3, len(images))]


def trained(kind: digits.Kind, seed: int, epochs: int) -> Network:
    """The network after training on a split of the images."""
    import torch

    from neuromorph import train

    task, (images, labels), (chosen, held_out) = digits.TASKS[kind], digits.images(), digits.split(seed)
    hidden, _, rate, price = RECIPES[kind]
    module = train.Module(task.untrained(seed=seed), classifier.DT, outputs=["digits", f"{hidden}.fired"])
    if kind == "egru":
        module.population("egru").theta.requires_grad_(False)
    targets = torch.from_numpy(labels.astype(np.int64))
    rng = np.random.default_rng(seed)
    optimiser = torch.optim.AdamW([p for p in module.parameters() if p.requires_grad], lr=rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs * len(chosen) // BATCH)

    began = perf_counter()
    for _ in range(epochs):
        for batch in rng.permutation(chosen).reshape(-1, BATCH):
            events = torch.from_numpy(task.code(shifted(images[batch], rng))).transpose(0, 1)  # (steps, samples, n)
            y, _ = module(events)
            error = torch.nn.functional.cross_entropy(y["digits"][-1], targets[batch])  # sent in the last step
            loss = error + price * train.activity(y[f"{hidden}.fired"])
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
            optimiser.step()
            schedule.step()
    seconds = perf_counter() - began
    with torch.no_grad():
        y, _ = module(torch.from_numpy(task.code(images[held_out])).transpose(0, 1))
    accuracy = train.correct(y["digits"][-1], targets[held_out]).mean()
    print(f"{kind}, split {seed}: {accuracy:.2%} of {len(held_out)} after {epochs} epochs in {seconds:.0f} s")
    return module.network()


def on_targets(network: Network, kind: digits.Kind, seed: int, count: int) -> list[dict[str, Any]]:
    """Run held-out images on the CPU engine and on SpiNNaker2, print and return the figures."""
    task, (images, labels), held_out = digits.TASKS[kind], digits.images(), digits.split(seed)[1][:count]
    events = task.code(images[held_out])
    rows = []
    for weights in ("float32", "int8"):
        kept: Literal["int8"] | None = "int8" if weights == "int8" else None
        targets = {"CPU": CPU(weights=kept), "SpiNNaker2": SpiNNaker2(weights=kept, neurons_per_pe=16)}
        for row in classifier.compare(targets, network, events, labels[held_out], task.steps):
            print(f"{kind}, split {seed}, {weights}, {classifier.told(row)}")
            rows.append({"network": f"digits {kind}", "split": seed, "weights": weights} | row)
    return rows


def main() -> None:
    """Train, map, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help="spiking or egru (default: both)")
    parser.add_argument("--splits", type=int, default=1, help="train anew on so many random splits (default: 1)")
    parser.add_argument("--epochs", type=int, help="instead of the recipe's")
    parser.add_argument("--images", type=int, default=2000, help="held-out images that run on the targets (all 2,000)")
    parser.add_argument("--trained", action="store_true", help="train nothing, take what comes with neuromorph")
    parser.add_argument("--out", type=Path, default=Path("out/train_digits"), help="folder for parameters and figures")
    options = parser.parse_args()
    if unknown := set(options.networks) - set(RECIPES):
        parser.error(f"no network {', '.join(sorted(unknown))}; there are {', '.join(RECIPES)}")
    if options.trained and options.splits > 1:
        parser.error("--trained goes with one split: the others' tests were trained with")
    options.out.mkdir(parents=True, exist_ok=True)
    rows = []
    for kind in options.networks or RECIPES:
        accuracies = []
        for seed in range(options.splits):
            if options.trained:
                network = digits.trained(kind)
            else:
                file = options.out / f"{kind}.h5" if seed == 0 else options.out / f"{kind}_{seed}.h5"
                epochs = options.epochs or RECIPES[kind][1]
                classifier.save(file, trained(kind, seed, epochs), {"split": seed, "epochs": epochs})
                network = classifier.load(file, digits.TASKS[kind].untrained())  # as it will be read: in 16 bits
            found = on_targets(network, kind, seed, options.images)
            accuracies.append(found[0]["accuracy"])
            rows += found
        if len(accuracies) > 1:
            mean = sum(accuracies) / len(accuracies)
            print(
                f"{kind}: mean of {len(accuracies)} splits {mean:.2%}, {min(accuracies):.2%} to {max(accuracies):.2%}"
            )
    (options.out / "digits.json").write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()

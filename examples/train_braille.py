"""Train a spiking network and a layer of EGRU units to read Braille by touch, and run them on simulated SpiNNaker2.

Each is trained on a random 80 % of 1,080 recordings and tested on the rest; what was learnt goes back into the network,
which runs on the CPU engine and on SpiNNaker2, with the weights as they are and in 8 bits. Takes about 20 s for each
network and split on one core. ``egru_spark`` trains the EGRU that comes with neuromorph on, with its weights in SPARK's
code of 4 or 8 bits.

    python examples/train_braille.py [spiking] [egru] [egru_spark] [--splits N] [--out FOLDER]
    python examples/train_braille.py --trained        # no training: the parameters that come with neuromorph
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neuromorph import CPU, Network
from neuromorph.mapping.spinnaker2 import SpiNNaker2
from neuromorph.models import braille_letters, classifier

if TYPE_CHECKING:
    from torch import Tensor

    from neuromorph.network.quantise import Narrow

#: Epochs, learning rate and the price of activity, by network.
RECIPES = {"spiking": (30, 5e-3, 1.0), "egru": (60, 1e-2, 0.3), "egru_spark": (30, 3e-3, 0.3)}


def trained(kind: braille_letters.Kind, seed: int, epochs: int) -> Network:
    """The network after training on a split of the recordings."""
    import torch

    from neuromorph import train

    _, rate, price = RECIPES[kind]
    recordings, (chosen, held_out) = braille_letters.recordings(), braille_letters.split(seed)
    coded = kind == "egru_spark"
    start = braille_letters.trained("egru") if coded else braille_letters.UNTRAINED[kind](seed=seed)
    inside = [p.name for p in start.populations[1:-1]]
    fired = [f"{name}.fired" for name in inside]
    module = train.Module(start, classifier.DT, outputs=["letters", *fired])
    if kind != "spiking":
        module.population("egru").theta.requires_grad_(False)
    if coded:  # few large codes, so that most weights take 4 bits and a sign
        train.parametrise(module, lambda: train.Quantised(train.Spark(largest=47)))

    def loss(y: dict[str, Tensor], letters: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        # the evidence is sent in the last step
        error = torch.nn.functional.cross_entropy(y["letters"][-1], letters)
        activity = sum((train.activity(y[name]) for name in fired), start=torch.zeros(()))
        return error + price * activity, {"activity": activity}

    def measure(y: dict[str, Tensor], letters: Tensor) -> dict[str, Tensor]:
        return {"accuracy": train.correct(y["letters"][-1], letters)}

    pressure = torch.from_numpy(recordings.pressure).transpose(0, 1).contiguous()  # (steps, samples, sensors)
    letters = torch.from_numpy(recordings.letters)
    data = train.Samples(pressure[:, chosen], letters[chosen], 64, seed=seed)
    test = train.Samples(pressure[:, held_out], letters[held_out], len(held_out), shuffle=False)
    optimiser = torch.optim.Adam([p for p in module.parameters() if p.requires_grad], lr=rate)
    schedule = train.CosineFrom(optimiser, 0, epochs * len(data))
    fitted = train.Trainer(module, loss, optimiser, clip=1.0, each_step=[schedule]).fit(data, epochs)
    accuracy = train.evaluate(module, measure, test)["accuracy"]
    print(f"{kind}, split {seed}: {accuracy:.2%} of {len(held_out)} after {epochs} epochs in {fitted.seconds:.0f} s")
    return module.network()


def on_targets(network: Network, kind: braille_letters.Kind, seed: int) -> list[dict[str, Any]]:
    """Run the held-out recordings on the CPU engine and on SpiNNaker2, print and return the figures."""
    recordings, (_, held_out) = braille_letters.recordings(), braille_letters.split(seed)
    pressure, letters, steps = recordings.pressure[held_out], recordings.letters[held_out], braille_letters.RUN[kind]
    rows = []
    narrow: Narrow = "spark" if kind == "egru_spark" else "int8"
    for kept in (None, narrow):
        weights = kept or "float32"
        targets = {"CPU": CPU(weights=kept), "SpiNNaker2": SpiNNaker2(weights=kept, neurons_per_pe=16)}
        for row in classifier.compare(targets, network, pressure, letters, steps):
            print(f"{kind}, split {seed}, {weights}, {classifier.told(row)}")
            rows.append({"network": f"braille {kind}", "split": seed, "weights": weights} | row)
    return rows


def main() -> None:
    """Train, map, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help="spiking, egru (default: both), egru_spark")
    parser.add_argument("--splits", type=int, default=1, help="train anew on so many random splits (default: 1)")
    parser.add_argument("--epochs", type=int, help="instead of the recipe's")
    parser.add_argument("--trained", action="store_true", help="train nothing, take what comes with neuromorph")
    parser.add_argument("--out", type=Path, default=Path("out/train_braille"), help="folder for parameters and figures")
    options = parser.parse_args()
    if unknown := set(options.networks) - set(RECIPES):
        parser.error(f"no network {', '.join(sorted(unknown))}; there are {', '.join(RECIPES)}")
    chosen = options.networks or ["spiking", "egru"]
    if options.splits > 1 and (options.trained or "egru_spark" in chosen):
        parser.error("what comes with neuromorph goes with one split: the others' tests were trained with")
    options.out.mkdir(parents=True, exist_ok=True)
    rows = []
    for kind in chosen:
        accuracies = []
        for seed in range(options.splits):
            if options.trained:
                network = braille_letters.trained(kind)
            else:
                file = options.out / f"{kind}.h5" if seed == 0 else options.out / f"{kind}_{seed}.h5"
                epochs = options.epochs or RECIPES[kind][0]
                width = np.float32 if kind == "egru_spark" else np.float16
                classifier.save(file, trained(kind, seed, epochs), {"split": seed, "epochs": epochs}, width)
                network = classifier.load(file, braille_letters.UNTRAINED[kind]())  # as it will be read
            found = on_targets(network, kind, seed)
            accuracies.append(found[0]["accuracy"])
            rows += found
        if len(accuracies) > 1:
            mean = sum(accuracies) / len(accuracies)
            print(
                f"{kind}: mean of {len(accuracies)} splits {mean:.2%}, {min(accuracies):.2%} to {max(accuracies):.2%}"
            )
    (options.out / "braille_letters.json").write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()

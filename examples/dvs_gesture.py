"""Train two layers of EGRU units on DVS128 Gesture, then run them on simulated SpiNNaker2.

The second task that was published for the chip (Nazeer et al. 2024, arXiv 2312.09084): events counted in frames of
25 ms, the largest of each block taken down to 32 x 32 pixels; convolutions make features of each frame; two recurrent
layers of 256 units read those. On the chip the convolutions are not run: their features lie in DRAM, a row for each
frame. The sizes of the convolutions were not published; those here are ours.

Nothing is fetched. FOLDER is the data set as its authors hand it out, with trials_to_train.txt in it.

    python examples/dvs_gesture.py FOLDER [--epochs 100] [--resume] [--out out/dvs_gesture]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from neuromorph import CPU, Dense, Live, Lookup, Network, NeuromorphError, first_difference, ms, train
from neuromorph.events import GESTURES, dvs_gestures, pool, read_dvs_gesture
from neuromorph.mapping.spinnaker2 import SpiNNaker2
from neuromorph.models import Linear
from neuromorph.models.egru_layers import EGRUWeights, egru_stack
from neuromorph.progress import progress_for

FRAME = 25 * ms
PIXELS = (32, 32)
THETA = 0.3  # threshold of every unit, not trained
LAG = 3  # steps from a row of features to the votes that it moves


def clips(folder: Path, split: Literal["train", "test"], steps: int) -> tuple[Tensor, Tensor]:
    """Frames of every gesture, uint8 (steps, gestures, 2, 32, 32), and labels; longer gestures are cut, shorter end
    in empty frames."""
    gestures = dvs_gestures(folder, split)
    frames = np.zeros((steps, len(gestures), 2, *PIXELS), np.uint8)
    with progress_for(True) as shown:
        shown.stage(f"reading {split}ing gestures", len(gestures))
        for number, (events, _) in enumerate(read_dvs_gesture(folder, split)):
            found = pool(events.bin(FRAME, min(steps, events.steps(FRAME))), PIXELS, "max")
            frames[: len(found), number] = np.minimum(found, 255)
            shown.advance()
    return torch.from_numpy(frames), torch.tensor([gesture.label for gesture in gestures])


def recurrent(features: int, units: int, seed: int) -> Network:
    """The part that runs on the chip: features, two layers of EGRU units, a vote for each gesture in every step."""
    net = Network(name="gestures", seed=seed)
    source = net.population(Live(features, graded=True), name="features")
    weights = [EGRUWeights.random(n, units, threshold=THETA, seed=seed + k) for k, n in enumerate((features, units))]
    *_, top = egru_stack(net, source, weights)
    votes = net.population(Linear(b=np.zeros(len(GESTURES)), start=LAG), len(GESTURES), name="votes")
    spread = 1 / np.sqrt(units)
    readout = np.random.default_rng(seed).uniform(-spread, spread, (units, len(GESTURES)))
    net.project(top, votes.a, Dense(readout.astype(np.float32)))
    return net


class Classifier(nn.Module):
    """Convolutions for each frame, then the recurrent network over time.

    Parameters
    ----------
    features, units : int
        What the convolutions end in; EGRU units of each layer.
    seed : int
    """

    def __init__(self, features: int, units: int, seed: int) -> None:
        super().__init__()
        self.head = nn.Sequential(
            nn.Conv2d(2, 32, 3, padding=1),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 3, padding=1),
            nn.BatchNorm2d(64),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Dropout(0.5),
            nn.Linear(64 * PIXELS[0] * PIXELS[1] // 16, features),
            nn.ReLU(),
        )
        outputs = ("votes", "egru1.fired", "egru2.fired", "egru1.c", "egru2.c")
        surrogate = train.Triangle(support=1.7)  # as EvNN has it for this task
        self.recurrent = train.Module(recurrent(features, units, seed), dt=FRAME, outputs=outputs, surrogate=surrogate)

    def features(self, frames: Tensor) -> Tensor:
        """(steps, gestures, features) of uint8 frames."""
        steps, count = frames.shape[:2]
        return self.head(frames.flatten(0, 1).float().log1p()).unflatten(0, (steps, count))

    def forward(self, frames: Tensor, state: train.State | None = None) -> tuple[dict[str, Tensor], train.State]:
        """Outputs of the recurrent network for frames (steps, gestures, 2, 32, 32)."""
        return self.recurrent(self.features(frames), state)


def loss(outputs: dict[str, Tensor], labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """Cross-entropy of the mean vote, and EvNN's regulariser for this task; also accuracy and activity."""
    votes = outputs["votes"].mean(0)
    fired = [outputs[f"egru{k}.fired"] for k in (1, 2)]
    quiet = sum(train.activity_target(each, 0.05) for each in fired)
    low = sum(train.state_below_threshold(outputs[f"egru{k}.c"], THETA, 0.05) for k in (1, 2))
    right = (votes.argmax(1) == labels).float().mean()
    value = nn.functional.cross_entropy(votes, labels) + 0.01 * (quiet + low)
    return value, {"accuracy": right, "activity": torch.stack([each.mean() for each in fired]).mean()}


def tested(model: Classifier, data: train.Samples) -> Mapping[str, float]:
    """Accuracy and activity over all batches."""
    device = next(model.parameters()).device
    sums: dict[str, float] = {}
    for frames, labels in data:
        outputs, _ = model(frames.to(device))
        for name, value in loss(outputs, labels.to(device))[1].items():
            sums[f"test_{name}"] = sums.get(f"test_{name}", 0.0) + float(value) * len(labels) / len(data.targets)
    return sums


def with_table(trained: Network, table: np.ndarray) -> Network:
    """The trained network with its features from a table, of which a row is looked up in every step."""
    net = Network(name=trained.name, seed=trained.seed)
    for old in trained.populations:
        net.population(Lookup(table) if old.name == "features" else old.neuron, old.size, name=old.name)
    for old in trained.projections:
        port = net[old.post.name].port(old.port)
        net.project(net[old.pre.name], port, old.rule, weight=old.weight, delay=old.delay, name=old.name)
    return net


def on_the_chip(model: Classifier, frames: Tensor, labels: Tensor, options: argparse.Namespace) -> None:
    """Run gestures on the CPU engine and on SpiNNaker2, and compare events, votes and labels."""
    steps, count = frames.shape[:2]
    model.eval().cpu()
    with torch.no_grad():
        rows = model.features(frames)
        wanted = model.recurrent(rows)[0]["votes"].sum(0).argmax(1)
    table = rows.transpose(0, 1).flatten(0, 1).numpy()
    ids = np.pad(np.arange(count * steps).reshape(count, steps), ((0, 0), (0, LAG)), constant_values=-1)
    network = with_table(model.recurrent.network(), table)
    traces = []
    for target in (CPU(), SpiNNaker2(chips=options.chips)):
        name = type(target).__name__
        program = target.compile(network, dt=FRAME)
        trace = program.run_batch({"features": ids}, steps + LAG, out=options.out / f"{name}.h5").trace
        traces.append(trace)
        events = trace.events("votes")
        sample, step = np.divmod(np.asarray(events.steps), steps + LAG)
        scores = np.zeros((count, len(GESTURES)))
        kept = step >= LAG
        np.add.at(scores, (sample[kept], np.asarray(events.ids)[kept]), np.asarray(events.values)[kept])
        right, alike = (int((scores.argmax(1) == other.numpy()).sum()) for other in (labels, wanted))
        print(f"{name}: {right} of {count} gestures right; {alike} as PyTorch decides them")
    print(program.report())
    print("first difference between the CPU and the chip:", first_difference(*traces) or "none")


def main() -> None:
    """Read, train, test, map."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="the data set's folder")
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--batch", type=int, default=40)
    parser.add_argument("--rate", type=float, default=1e-3, help="learning rate")
    parser.add_argument("--steps", type=int, default=240, help="frames of a gesture")
    parser.add_argument("--features", type=int, default=512)
    parser.add_argument("--units", type=int, default=256)
    parser.add_argument("--mapped", type=int, default=11, help="test gestures that run on the chip")
    parser.add_argument("--chips", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out")
    parser.add_argument("--out", type=Path, default=Path("out/dvs_gesture"))
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    training, testing = (clips(options.folder, split, options.steps) for split in ("train", "test"))
    print(f"{len(training[1])} gestures to train on, {len(testing[1])} to test, on {options.device}")

    model = Classifier(options.features, options.units, options.seed).to(options.device)
    optimiser = torch.optim.Adam(train.decay_groups(model, 0.0, rates={"theta": 0.0}), lr=options.rate)
    trainer = train.Trainer(
        model,
        loss,
        optimiser,
        clip=1.0,
        each_epoch=[torch.optim.lr_scheduler.StepLR(optimiser, 56, 0.8747)],
        evaluate=lambda module: tested(module, train.Samples(*testing, options.batch, shuffle=False)),
        folder=options.out,
    )
    fitted = trainer.fit(train.Samples(*training, options.batch), options.epochs, resume=options.resume)
    print(f"test accuracy {fitted.last['test_accuracy']:.1%}, active {fitted.last['test_activity']:.1%} of unit-steps")
    chosen = slice(0, options.mapped)
    on_the_chip(model, testing[0][:, chosen], testing[1][chosen], options)


if __name__ == "__main__":
    try:
        main()
    except NeuromorphError as error:
        sys.exit(f"dvs_gesture: {error}")

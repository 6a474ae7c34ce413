"""A word-level language model of event-based gated recurrent units on WikiText-2: train, prune, evaluate, compare.

python examples/language_model.py train [--cell egru|gru|lstm] [--recipe small|published] [--device cuda]
python examples/language_model.py prune --model out/egru.h5
python examples/language_model.py evaluate [--model out/egru.h5]
python examples/language_model.py compare

``train`` takes the recipe ``small`` unless told otherwise: two layers of 256 units. A training that was stopped goes on
with ``--resume``. ``evaluate`` scores a model on the whole test text, one word after another: by default the one that
comes with the package, on PyTorch, on the CPU engine and on SpiNNaker2.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from neuromorph import CPU, ms, train
from neuromorph.mapping.spinnaker2 import SpiNNaker2
from neuromorph.models import language_training as training
from neuromorph.models import wikitext
from neuromorph.models.language_model import LanguageModel
from neuromorph.models.language_recipes import RECIPES, Recipe

#: Perplexities on WikiText-2's test text as published, for comparison.
PUBLISHED = (
    ("EGRU, Subramoney et al. 2023, one row", "test 68.9"),
    ("EGRU, Subramoney et al. 2023, another row", "test 70.6"),
    ("EGRU 750/1350/1350/750, 95 % pruned, on SpiNNaker2, Nazeer et al. 2024", "test 81.4"),
)
#: ``ordered`` is PyTorch with every sum in the engines' order, so that not one bit may differ.
TARGETS = ("pytorch", "ordered", "cpu", "spinnaker2")
COMMITTED = Path(wikitext.__file__).parent / "data" / "language_model" / "egru.h5"


def train_model(arguments: argparse.Namespace) -> None:
    """Train a cell by a recipe."""
    recipe = RECIPES[arguments.recipe]
    recipe = replace(recipe, epochs=arguments.epochs or recipe.epochs)
    prepare(arguments)
    ids, counts = training.corpus()
    model = training.WordModel(training.untrained(recipe, counts), recipe, counts, arguments.cell)
    fit(model, recipe, ids, arguments, arguments.cell, {"cell": arguments.cell, "recipe": arguments.recipe})


def prune_model(arguments: argparse.Namespace) -> None:
    """Prune the layers' weights little by little while training goes on; the embedding stays as it is.

    Pruning ends after the first third; the rest is fine-tuning.
    """
    before = LanguageModel.load(arguments.model)
    recipe = RECIPES[before.meta["recipe"]]
    recipe = replace(recipe, epochs=arguments.epochs, rate=recipe.rate / 2, warmup=0)
    prepare(arguments)
    ids, counts = training.corpus()
    model = training.WordModel(before, recipe, counts)
    model.embedding.requires_grad_(False)
    batches = recipe.epochs * (len(ids[: arguments.words]) // recipe.batch // recipe.window)
    pruning = train.GradualPruning(
        model.layers, arguments.sparsity, end=max(batches // 3, 1), every=max(batches // 60, 1), scope="global"
    )
    meta = {"cell": "egru", "recipe": before.meta["recipe"], "sparsity": arguments.sparsity}
    fit(model, recipe, ids, arguments, "egru_pruned", meta, each_step=[pruning], embedding=arguments.model)


def prepare(arguments: argparse.Namespace) -> None:
    """Settings of PyTorch, before anything is drawn."""
    torch.manual_seed(0)
    torch.set_float32_matmul_precision("medium")  # products in bfloat16 where the machine has it
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    arguments.folder.mkdir(parents=True, exist_ok=True)


def fit(
    model: training.WordModel,
    recipe: Recipe,
    ids: np.ndarray,
    arguments: argparse.Namespace,
    name: str,
    meta: dict[str, object],
    *,
    each_step: Sequence[train.GradualPruning] = (),
    embedding: Path | None = None,
) -> None:
    """Train; write metrics, weights and what they reach on the validation and test text into the folder."""
    model.to(arguments.device)
    size = sum(parameter.numel() for parameter in model.layers.parameters())
    print(f"{name}: {size:,} parameters in the layers, {model.embedding.numel():,} in the embedding", flush=True)
    began = time.process_time()
    trainer, data = training.trainer(
        model,
        recipe,
        ids[: arguments.words],
        wikitext.tokens("valid")[: arguments.words],
        clock=lambda: time.process_time() - began,
        folder=arguments.folder / name,
        log_every=50,
        each_step=each_step,
    )
    fitted = trainer.fit(data, recipe.epochs, resume=arguments.resume)
    shutil.copy(arguments.folder / name / "metrics.jsonl", arguments.folder / f"{name}.jsonl")
    model.eval()
    if meta["cell"] == "egru":
        trained = model.language_model(meta).stored()
        model = training.WordModel(trained, recipe, training.corpus()[1]).eval().to(arguments.device)
        shared = embedding is not None and embedding.resolve().parent == arguments.folder.resolve()
        trained.save(arguments.folder / f"{name}.h5", embedding=embedding.name if shared else None)
    torch.set_float32_matmul_precision("highest")
    result = meta | {
        "epochs": fitted.epochs,
        "words": fitted.epochs * data.inputs.numel(),
        "seconds": fitted.seconds,
        "cpu_seconds": fitted.last["computing"],
        "layer_parameters": size,
        "layer_nonzero": sum(int(torch.count_nonzero(p)) for p in model.layers.parameters()),
        "embedding_parameters": model.embedding.numel() + model.bias.numel(),
    }
    for part, batch in (("valid", 16), ("test", 1)):
        text = wikitext.tokens(part)[: arguments.words]
        window = recipe.cut if meta["cell"] == "egru" else None
        found = training.score(model, text, batch, window=window)
        result |= {f"{part}_{key}": value for key, value in found.items()}
    (arguments.folder / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


def evaluate(arguments: argparse.Namespace) -> None:
    """Score a model on the test text on every target, and say where their events differ."""
    model = LanguageModel.load(arguments.model)
    ids = wikitext.tokens("test")[: arguments.words]
    inputs, targets = ids[:-1], ids[1:]
    size = model.size
    print(f"{arguments.model.name}: {size['nonzero']:,} of {size['layers']:,} parameters of layers are not zero")
    before: dict[str, np.ndarray] = {}
    report: dict[str, dict[str, object]] = {}
    for name in arguments.targets:
        began = time.perf_counter()
        outputs, events = answers(name, model, inputs, RECIPES[model.meta["recipe"]].cut)
        seconds = time.perf_counter() - began
        differences = {other: difference(found, outputs) for other, found in before.items()}
        same = next((other for other, found in differences.items() if found["first"] is None), None)
        # equal outputs have equal scores
        score = report[same]["perplexity"] if same else model.perplexity(outputs, targets)
        active = [n / len(inputs) / layer.units for n, layer in zip(events.values(), model.layers, strict=True)]
        sent = ", ".join(f"{share:.1%}" for share in active)
        print(f"{name}: perplexity {score:.4f}; active {sent}; {seconds:,.0f} s", flush=True)
        for other, found in differences.items():
            print(f"  against {other}: {found['text']}")
        report[name] = {"perplexity": score, "events": events, "active": active, "against": differences}
        before[name] = outputs
    if arguments.out:
        content = {"model": arguments.model.name, "words": len(inputs), "targets": report}
        arguments.out.write_text(json.dumps(content, indent=1) + "\n")


def difference(a: np.ndarray, b: np.ndarray) -> dict[str, object]:
    """What distinguishes two targets' outputs (words, d)."""
    words = np.flatnonzero((a != b).any(axis=1))
    events, alone = int(np.count_nonzero(a)), int(np.count_nonzero((a != 0) != (b != 0)))
    if not len(words):
        return {"first": None, "text": f"all {events:,} events of the last layer are equal, bit for bit"}
    largest = float(np.abs(a - b).max())
    text = (
        f"the first difference is at word {words[0]:,}, the largest {largest:.2g}; of {events:,} events {alone:,} are "
        "in one of the two only"
    )
    return {"first": int(words[0]), "largest": largest, "events": events, "alone": alone, "text": text}


def answers(
    target: str, model: LanguageModel, ids: np.ndarray, window: int | None
) -> tuple[np.ndarray, dict[str, int]]:
    """What the last layer sends for each word on a target, and the events of each layer."""
    if target in ("pytorch", "ordered"):
        return training.read(model, ids, window=window, ordered=target == "ordered")
    chosen = CPU() if target == "cpu" else SpiNNaker2()
    return model.read(chosen.compile(model.network(ids, window=window), dt=1 * ms), len(ids))


def compare(arguments: argparse.Namespace) -> None:
    """Print what every training in a folder has reached, and what is published."""
    results = [json.loads(path.read_text()) for path in sorted(arguments.folder.glob("*.json"))]
    print(
        "| model | weights and biases of layers | not zero | perplexity: validation, test | units that send | CPU s |"
    )
    print("|---|---|---|---|---|---|")
    for found in results:
        sparsity = found.get("sparsity", 0.0)
        name = found["cell"].upper() + (f", {sparsity:.0%} pruned" if sparsity else "")
        sent = ", ".join(f"{value:.1%}" for key, value in found.items() if key.startswith("test_activity"))
        sizes = f"{found['layer_parameters']:,} | {found['layer_nonzero']:,}"
        scores = f"{found['valid_perplexity']:.1f}, {found['test_perplexity']:.1f}"
        print(f"| {name} | {sizes} | {scores} | {sent} | {found['cpu_seconds']:,.0f} |")
    for name, perplexity in PUBLISHED:
        print(f"| {name} (quoted) | | | {perplexity} | | |")


def main() -> None:
    """Run one command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("train", help="train a model")
    one.add_argument("--cell", choices=("egru", "gru", "lstm"), default="egru")
    one.add_argument("--recipe", choices=RECIPES, default="small")
    one.add_argument("--epochs", type=int, help="instead of the recipe's")
    two = commands.add_parser("prune", help="prune a trained model and train on")
    two.add_argument("--model", type=Path, default=COMMITTED, help="file that train or a download gave")
    two.add_argument("--sparsity", type=float, default=0.9, help="fraction of the layers' weights that become zero")
    two.add_argument("--epochs", type=int, default=2)
    for command in (one, two):
        command.add_argument("--folder", type=Path, default=Path("out"), help="for checkpoints, metrics and the model")
        command.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
        command.add_argument("--threads", type=int, help="of PyTorch, on the CPU")
        command.add_argument("--resume", action="store_true", help="go on where a training was stopped")
        command.add_argument("--words", type=int, help="learn from the first so many words only")
    three = commands.add_parser("evaluate", help="score a model on the test text on several targets")
    three.add_argument("--model", type=Path, default=COMMITTED)
    three.add_argument("--targets", nargs="+", choices=TARGETS, default=TARGETS)
    three.add_argument("--words", type=int, help="the first so many words only")
    three.add_argument("--out", type=Path, help="write what was found to this JSON file")
    four = commands.add_parser("compare", help="the trained models beside the published ones")
    four.add_argument("--folder", type=Path, default=COMMITTED.parent)
    arguments = parser.parse_args()
    {"train": train_model, "prune": prune_model, "evaluate": evaluate, "compare": compare}[arguments.command](arguments)


if __name__ == "__main__":
    main()

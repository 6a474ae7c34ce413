"""Training and inference of one recurrent layer: our module against hand-written PyTorch loops, taking turns.

    python benchmarks/training.py [CASE ...] [--turns 7] [--peers NAME ...] [--threads N] [--out FOLDER]

Each contestant has a process of its own, in which it builds the layer from the same weights and runs once to warm up;
then they take turns, A B C, A B C, on one job: forward and backward over a whole sequence, the same with a step of
AdamW, or inference. First the module and the hand-written loop are compared number by number, in both precisions.

Writes ``training.json`` and ``training.md`` into the folder.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from engine_cases import Case
from engine_process import Process, cores
from engine_report import machine
from peers import Peer
from training_report import GOAL, HAND, JOBS, Job, Result, Row, summary, write
from training_report import Case as Found

SCRATCH = Path(__file__).resolve().parents[1] / "out" / "benchmarks" / "training"
TURN = 0.3
"""Seconds that a turn should take at least; short jobs are repeated within it."""
CHECKS = {"float32": "check", "float64": "check64"}
TOLERANCES = {"float32": 1e-3, "float64": 1e-9}
"""Largest difference over the largest value. In float32 an event in millions falls on the other side of a threshold."""

PEERS = (
    Peer("train_ours", "train.Module", "torch", ("egru", "lif"), own=True),
    Peer(HAND, "hand-written loop", "torch", ("egru", "lif")),
    Peer("torch_compiled", "the loop, step compiled", "torch", ("egru", "lif")),
    Peer("torch_gru", "torch.nn.GRU", "torch", ("egru",)),
    Peer("norse_lif", "norse", "norse", ("lif",)),
    Peer("snntorch_lif", "snnTorch", "snntorch", ("lif",)),
)
SHARED = {"steps": 70, "active": 0.1}
OF_MODEL = {"egru": {"gain": 1.0, "threshold": 0.6}, "lif": {"gain": 5.0}}


def case(name: str, model: str, inputs: int, units: int, batch: int) -> Case:
    """A layer and what it is given."""
    title = f"{model.upper()}, {inputs:,} to {units:,}, batch {batch}, {SHARED['steps']} steps"
    sizes = {"inputs": inputs, "units": units, "batch": batch}
    return Case(name, title, model, {**SHARED, **OF_MODEL[model], **sizes})


CASES = {
    "egru": (case("egru", "egru", 256, 512, 64), tuple(JOBS)),
    "egru_large": (case("egru_large", "egru", 1350, 1350, 64), tuple(JOBS)),
    "lif": (case("lif", "lif", 256, 512, 64), tuple(JOBS)),
    "egru_one": (case("egru_one", "egru", 256, 512, 1), ("inference",)),
    "egru_large_one": (case("egru_large_one", "egru", 1350, 1350, 1), ("inference",)),
    "lif_one": (case("lif_one", "lif", 256, 512, 1), ("inference",)),
}
"""Layers, and the jobs that are timed."""


def process(peer: Peer, case: Case, job: str, threads: int) -> Process:
    """A contestant for a job."""
    own = Case(case.name, case.title, f"{case.network}_{job}", case.parameters)
    return Process(peer, own, threads, 0, SCRATCH / case.name / f"{peer.name}-{job}")


def compare(case: Case, threads: int) -> dict[str, dict[str, float]]:
    """Largest differences between the module and the hand-written loop, by precision and name.

    Raises
    ------
    SystemExit
        If they are above the tolerances: times of layers that do not compute the same mean nothing.
    """
    differences: dict[str, dict[str, float]] = {}
    for kind, job in CHECKS.items():
        found = []
        for peer in PEERS[:2]:
            worker = process(peer, case, job, threads)
            answer: dict[str, object] | str = worker.build() or worker.run(1)
            worker.stop()
            if isinstance(answer, str):
                raise SystemExit(f"{case.title}: {peer.title} failed: {answer}")
            with np.load(worker.folder / "check.npz") as arrays:
                found.append(dict(arrays))
        ours, hand = found
        differences[kind] = {
            name: float(np.abs(ours[name] - hand[name]).max() / np.abs(hand[name]).max())
            for name in hand
            if name in ours
        }
        for name, value in differences[kind].items():
            if name != "y" and not value <= TOLERANCES[kind]:  # an event more or less is a difference of 1 in y
                raise SystemExit(f"{case.title}, {kind}: {name} differs by {value:.2g}, above {TOLERANCES[kind]:g}")
    return differences


def race(case: Case, job: str, peers: Sequence[Peer], turns: int, threads: int) -> Job:
    """Let all contestants take turns on one job."""
    workers = {}
    rows: dict[str, Row] = {}
    times: dict[str, list[float]] = {}
    joules: dict[str, list[float]] = {}
    memory: dict[str, int] = {}
    repeats: dict[str, int] = {}

    def fail(peer: Peer, why: str) -> None:
        rows[peer.name] = Row(peer.name, peer.title, "", (), 0, why)

    peers = [peer for peer in peers if case.network in peer.networks]
    try:
        for peer in peers:
            if not find_spec(peer.package):
                fail(peer, "not installed")
                continue
            worker = process(peer, case, job, threads)
            workers[peer.name] = worker
            failed = worker.build()
            answer: dict[str, Any] | str = failed
            for _ in range(3 if not failed else 0):  # memory is allocated, and compiled code made, in the first
                answer = worker.run(1)
                if isinstance(answer, str):
                    break
            if isinstance(answer, str):
                fail(peer, answer)
                continue
            times[peer.name], joules[peer.name] = [], []
            repeats[peer.name] = max(1, round(TURN / answer["wall"]))
        for _ in range(turns):
            for name in times:
                turn = workers[name].run(repeats[name])
                if isinstance(turn, str):
                    raise SystemExit(f"{case.title}, {job}: {name} failed: {turn}")
                times[name].append(turn["wall"] / repeats[name])
                memory[name] = turn["memory"]
                joules[name] += [turn["results"]["joules"] / repeats[name]] if "joules" in turn["results"] else []
    finally:
        for worker in workers.values():
            worker.stop()
    for peer in peers:
        if peer.name in times:
            name, version = peer.name, workers[peer.name].version
            measured = tuple(times[name]), memory[name], "", tuple(joules[name])
            rows[name] = Row(name, peer.title, version, *measured, threads)
    return Job(job, tuple(rows[peer.name] for peer in peers))


def measure(case: Case, jobs: Sequence[str], peers: Sequence[Peer], turns: int, threads: int) -> Found:
    """Compare, then race."""
    print(case.title, flush=True)
    differences = compare(case, threads)
    found = Found(case.name, case.title, differences, tuple(race(case, job, peers, turns, threads) for job in jobs))
    for job in found.jobs:
        print(f"  {JOBS[job.name]}: {job.ratio:.2f} of the hand-written loop", flush=True)
    return found


def main() -> None:
    """Measure and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", help=f"default: all; {', '.join(CASES)}")
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--peers", nargs="*", default=[peer.name for peer in PEERS], help="beside ours and the loop")
    parser.add_argument("--threads", type=int, default=cores())
    parser.add_argument("--out", type=Path, default=SCRATCH)
    options = parser.parse_args()
    unknown = [name for name in options.cases if name not in CASES]
    unknown += [name for name in options.peers if name not in [peer.name for peer in PEERS]]
    if unknown:
        parser.error(f"no such case or peer: {', '.join(unknown)}")
    peers = [peer for peer in PEERS if peer in PEERS[:2] or peer.name in options.peers]
    chosen = [CASES[name] for name in options.cases or CASES]
    cases = tuple(measure(case, jobs, peers, options.turns, options.threads) for case, jobs in chosen)
    result = Result(machine(), options.threads, cases)
    write(result, options.out)
    worst = max(job.ratio for case in cases for job in case.jobs)
    verdict = "within" if worst <= GOAL else "above"
    print(f"\n{summary(result)}\n\nlargest ratio {worst:.2f}: {verdict} {GOAL}; written to {options.out}")


if __name__ == "__main__":
    main()

"""A matrix in noisy arrays times a batch: ours, the plain product and other simulators, taking turns on one thread.

    python benchmarks/crossbar_mvm.py [--turns 15] [--error 0.05] [--small] [--out FOLDER]

Products: 1,024 x 1,024, batch 256, 8-bit converters, as one array and in tiles of 256 x 256. Knobs of the noise are set
so that all outputs have the same error, root mean square, relative to that of the exact outputs: equal signal-to-noise.
Times are CPU seconds, the least of all turns. Contestants that take minutes are measured on a few inputs.

Wires: the currents of a test pattern by every solver, and the time of an effective matrix.

Peers that are not installed are named; ``crossbar_mvm.json`` and ``crossbar_mvm.md`` go into the folder.
"""

from __future__ import annotations

import os

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")  # before NumPy loads

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from crossbar_peers import CONTESTANTS, Contestant, Product, Task
from crossbar_solvers import Currents, Matrix, currents, matrices
from engine_report import machine, markdown, number
from readme_blocks import RESULTS

SIZE, BATCH, TILE = 1024, 256, 256
SLOW = 0.5
"""Seconds of a turn from which one is enough."""


@dataclass
class Row:
    """What one contestant took and gave.

    Attributes
    ----------
    name : str
    rows : int
        Of a tile.
    seconds : float
        CPU time of a batch.
    error : float
        Root mean square over that of the exact outputs.
    vectors : int
        Inputs that were measured.
    problem : str
        Why there are no figures.
    """

    name: str
    rows: int
    seconds: float = inf
    error: float = 0.0
    vectors: int = 0
    problem: str = ""


@dataclass
class Result:
    """Everything that was found."""

    machine: dict[str, Any]
    batch: int
    size: int
    wanted: float
    products: list[Row] = field(default_factory=list)
    currents: list[Currents] = field(default_factory=list)
    matrices: list[Matrix] = field(default_factory=list)


def task(size: int, batch: int, rows: int) -> Task:
    """Normal weights whose outputs are of the size of the inputs, and even inputs."""
    rng = np.random.default_rng(0)
    weights = rng.normal(0, size**-0.5, (size, size)).astype(np.float32)
    return Task(weights, rng.uniform(-1, 1, (batch, size)).astype(np.float32), rows)


def error(contestant: Contestant, task: Task, run: Product, vectors: int) -> float:
    """Relative error of a few outputs."""
    exact = contestant.exact(task)
    found = np.asarray(run(task.inputs[:vectors]), dtype=np.float64)
    return float(np.sqrt(np.mean((found - exact[:vectors]) ** 2) / np.mean(np.square(exact))))


def levelled(contestant: Contestant, task: Task, wanted: float, vectors: int) -> Product:
    """A contestant whose outputs are off by what is wanted: variances of noise and rounding add up."""
    if not contestant.knob:
        return contestant.build(task, 0.0)
    still = error(contestant, task, contestant.build(task, 0.0), vectors)
    moderate = error(contestant, task, contestant.build(task, contestant.knob), vectors)
    share = (wanted**2 - still**2) / (moderate**2 - still**2)
    return contestant.build(task, contestant.knob * max(share, 0.0) ** 0.5)


def race(task: Task, wanted: float, turns: int) -> list[Row]:
    """Everyone in turn."""
    rows, ready = [], []
    for contestant in CONTESTANTS:
        row = Row(contestant.name, task.rows)
        rows.append(row)
        if find_spec(contestant.package) is None:
            row.problem = "not installed"
            continue
        row.vectors = contestant.vectors or len(task.inputs)
        try:
            run = levelled(contestant, task, wanted, min(row.vectors, 32))
            row.error = error(contestant, task, run, row.vectors)
        except Exception as problem:  # a peer that is installed and does not work is a finding too
            row.problem = f"{type(problem).__name__}: {problem}".splitlines()[0]
            continue
        ready.append((row, run))
        print(f"  {row.name}: error {row.error:.3f}", flush=True)
    for turn in range(turns):
        for row, run in ready:
            if turn == 0 or row.seconds * row.vectors / len(task.inputs) < SLOW:
                row.seconds = min(row.seconds, timed(run, task.inputs[: row.vectors]) * len(task.inputs) / row.vectors)
    return rows


def timed(run: Callable[[npt.NDArray[Any]], Any], x: npt.NDArray[Any]) -> float:
    """CPU seconds of a call."""
    start = time.process_time()
    run(x)
    return time.process_time() - start


def report(result: Result) -> str:
    """Tables."""
    m = result.machine
    where = f"1 thread of {m['processor']}, {m['memory_gib']} GiB, {m['date']}"
    lines = [
        f"{result.size:,} x {result.size:,}, batch {result.batch}, 8-bit converters; CPU time, {where}. Noisy "
        f"contestants are set to an error of {result.wanted:.0%} of the outputs (root mean square).",
        "",
        markdown(
            ["contestant", "tile", "batch", "times the plain product", "error"],
            [_line(row, result.products) for row in result.products],
        ),
        "",
        "* measured on a few inputs and scaled.",
        "",
        "Currents through resistive wires; sums in units of read voltage over the least resistance of a cell, 10 kohm:",
        "",
        markdown(
            ["N", "segment", "ours", "solver", "largest relative difference of a current from ours"],
            [[str(c.size), f"{c.segment:g} ohm", f"{c.total:.6f}", c.solver, c.problem or f"{c.difference:.1e}"]
             for c in result.currents],
        ),
        "",
        "The effective matrix of an array, random cells, segments of 1 ohm:",
        "",
        markdown(
            ["N", "solver", "CPU time", "peak of NumPy's memory"],
            [[str(e.size), e.solver, f"{number(e.seconds)} s", f"{e.megabytes:,.0f} MB"] if not e.problem
             else [str(e.size), e.solver, e.problem, ""] for e in result.matrices],
        ),
        "",
    ]  # fmt: skip
    return "\n".join(lines)


def _line(row: Row, rows: list[Row]) -> list[str]:
    if row.problem:
        return [row.name, str(row.rows), row.problem, "", ""]
    plain = next(r.seconds for r in rows if r.rows == row.rows)
    some = "" if row.vectors == rows[0].vectors else "*"
    return [
        row.name,
        str(row.rows),
        f"{number(row.seconds * 1e3)} ms{some}",
        number(row.seconds / plain),
        f"{row.error:.2%}",
    ]


def main(arguments: list[str]) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--error", type=float, default=0.05, help="of the outputs of noisy contestants")
    parser.add_argument("--small", action="store_true", help="sizes that take no time, to see that it works")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args(arguments)
    size, batch, tile = (64, 16, 16) if options.small else (SIZE, BATCH, TILE)
    result = Result(machine(), batch, size, options.error)
    for rows in (size, tile):
        print(f"{size} x {size}, tiles of {rows}", flush=True)
        result.products += race(task(size, batch, rows), options.error, options.turns)
    result.currents = currents(32 if options.small else 256)
    result.matrices = matrices(32 if options.small else SIZE)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "crossbar_mvm.json").write_text(json.dumps(asdict(result), indent=1) + "\n")
    (options.out / "crossbar_mvm.md").write_text(report(result))
    print(report(result))


if __name__ == "__main__":
    main(sys.argv[1:])

"""Batches: seconds of processor time on one thread, one sample after another and in lanes, in turns.

python benchmarks/batch.py [--rounds 5] [--images 10000] [--units 1350]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from time import process_time
from typing import Any

import numpy as np

from neuromorph import CPU, Dense, EventSource, Network, ms
from neuromorph.engine import Batch
from neuromorph.models import mnist
from neuromorph.models.recurrent import EGRUEvNN

LANES = (1, 16, 32)


def digits(images: int) -> tuple[str, int, Callable[[Any], Callable[[], Batch]]]:
    """Images through the trained MNIST classifier."""
    steps, inputs = mnist.STEPS + mnist.LATENCY, {"pixels": {"pixel": mnist.images()[:images]}}

    def prepare(target: Any) -> Callable[[], Batch]:
        program = target.compile(mnist.classifier(), dt=1 * ms, progress=False)
        return lambda: program.run_batch(inputs, steps, progress=False)

    return f"MNIST, {images:,} images, {steps} steps", images * steps, prepare


def tokens(units: int, batch: int = 32, steps: int = 20) -> tuple[str, int, Callable[[Any], Callable[[], Batch]]]:
    """Sequences of tokens through an EGRU layer, of whose inputs a tenth is active."""
    rng = np.random.default_rng(0)
    net = Network(seed=1)
    source = net.population(EventSource(units, steps=[0], indices=[0], values=[0.5]), name="in")
    layer = net.population(EGRUEvNN(theta=0.38), units, name="layer")
    for pre, ports in ((source, ("a_u", "a_r", "a_x")), (layer, ("a_u", "a_r", "a_y"))):
        for port in ports:
            net.project(pre, layer.port(port), Dense(rng.normal(0, (units * 0.1) ** -0.5, (units, units))))
    active = rng.random((batch, steps, units)) < 0.1
    sequences = [EventSource.from_dense(sample) for sample in active * rng.uniform(0.3, 1, active.shape)]

    def prepare(target: Any) -> Callable[[], Batch]:
        program = target.compile(net, dt=1 * ms, progress=False)
        return lambda: program.run_batch({"in": sequences}, steps, progress=False)

    return f"EGRU, {units:,} units, {batch} sequences of {steps} tokens", batch * steps, prepare


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--units", type=int, default=1350)
    options = parser.parse_args()
    print(f"{'':50}" + "".join(f"{f'{lanes} lanes' if lanes > 1 else 'one by one':>14}" for lanes in LANES))
    for dtype, weights in (("float32", None), ("float32", "int8")):
        for title, count, prepare in (digits(options.images), tokens(options.units)):
            if weights and title.startswith("MNIST"):
                continue  # its weights are ints
            runs = {lanes: prepare(CPU(dtype, 1, weights, lanes)) for lanes in LANES}  # type: ignore[arg-type]
            best = dict.fromkeys(LANES, float("inf"))
            results = [run().counts for run in runs.values()]  # also compiles
            assert all((r[k] == results[0][k]).all() for r in results for k in r)
            for _ in range(options.rounds):
                for lanes, run in runs.items():
                    began = process_time()
                    run()
                    best[lanes] = min(best[lanes], process_time() - began)
            row = "".join(f"{seconds / count * 1e6:11.2f} us" for seconds in best.values())
            print(f"{title + (f', {weights}' if weights else ''):50}{row}   a step of a sample")


if __name__ == "__main__":
    main()

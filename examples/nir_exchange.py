"""Take a network away: what is written here as a NIR file, what the file's readers make of it, and what NIR refuses.

python examples/nir_exchange.py [--out FOLDER]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import nir
import numpy as np

from neuromorph import (
    CPU,
    CheckError,
    Event,
    EventSource,
    Network,
    Param,
    Port,
    State,
    first_difference,
    from_nir,
    ms,
    mV,
    neuron,
    to_nir,
)
from neuromorph.mapping.spinnaker2 import SpiNNaker2
from neuromorph.models.recurrent import EGRUEvNN
from neuromorph.network import Conv2D, Dense

DT = 1 * ms


@neuron(method="euler")
class Cell:
    """A membrane and a current, in units and around a resting potential of its own."""

    a = Port(unit=mV)
    tau_s, tau_m, rest, theta = Param(4 * ms), Param(10 * ms), Param(-70 * mV), Param(-54 * mV)
    s, v = State(0 * mV), State(-70 * mV)

    s.jump = a
    s.dot = -s / tau_s
    v.dot = (rest - v + s) / tau_m
    spike = Event(when=v > theta)
    v.reset = rest


def network(events: EventSource) -> Network:
    """A convolution, and neurons that all see each other, two steps later."""
    rng = np.random.default_rng(1)
    net = Network(name="exchange")
    image = net.population(events, (1, 12, 12), name="image")
    maps = net.population(Cell, (4, 5, 5), name="maps")
    out = net.population(Cell(tau_m=rng.uniform(5, 20, 10) * ms), 10, name="out")
    net.project(image, maps, Conv2D(rng.normal(7, 5, (4, 1, 4, 4)) * mV, stride=2), name="conv")
    net.project(maps, out, Dense(rng.normal(2, 2, (100, 10)) * mV), name="dense")
    net.project(out, out, Dense(rng.normal(-2, 1, (10, 10)) * mV), delay=2, name="lateral")
    return net


def main() -> None:
    """Write, read, run and compare; then try what cannot be written."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("out/nir"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "exchange.nir"

    events = EventSource.from_dense(np.random.default_rng(2).random((200, 144)) < 0.05)
    ours = network(events)
    to_nir(ours, path, dt=DT)
    graph = nir.read(path)  # as any other program does
    print(", ".join(f"{name}: {type(node).__name__}" for name, node in graph.nodes.items()))

    again = from_nir(path, events=events)  # the file says which dt it is for
    traces = [CPU("float64").compile(net, dt=DT).run(200, progress=False) for net in (ours, again)]
    print(
        f"{traces[0].count('out')} spikes; first difference after the round trip: {first_difference(*traces) or 'none'}"
    )
    chips = [target.compile(again, dt=DT).run(200, progress=False) for target in (CPU(), SpiNNaker2())]
    print(f"first difference between the CPU and the chips: {str(first_difference(*chips) or 'none').lower()}")

    ours.project(ours["maps"], ours.population(EGRUEvNN, 20, name="memory").a_x, Dense(np.ones((100, 20))))
    try:
        to_nir(ours, path, dt=DT)
    except CheckError as error:
        print(error)


if __name__ == "__main__":
    main()

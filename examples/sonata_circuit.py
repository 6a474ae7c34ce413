"""A circuit of three node populations, written as SONATA files, read again, and run on the CPU and on SpiNNaker2.

python examples/sonata_circuit.py                       # writes its circuit to out/sonata and runs it
python examples/sonata_circuit.py simulation_config.json    # runs yours
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from neuromorph import (
    CPU,
    EventSource,
    FixedProbability,
    Network,
    OneToOne,
    Uniform,
    first_difference,
    from_sonata,
    ms,
    mV,
    pA,
    to_sonata,
)
from neuromorph.interchange.sonata import TEMPLATES, read_circuit, save_spikes, sonata_nodes
from neuromorph.mapping.spinnaker2 import SpiNNaker2


def column(neurons: int = 200) -> Network:
    """Excitatory and inhibitory neurons of NEST's model, driven by a thalamus."""
    net = Network(seed=4, name="column")
    model = TEMPLATES["nest:iaf_psc_exp"].neuron(V_m=Uniform(-70 * mV, -56 * mV))
    exc = net.population(model, neurons, name="exc")
    inh = net.population(model(tau_m=8 * ms), neurons // 4, name="inh")
    spikes = np.random.default_rng(4).random((2000, neurons)) < 0.03
    thalamus = net.population(EventSource.from_dense(spikes), name="thalamus")
    net.project(thalamus, exc.ex, OneToOne(), weight=420 * pA, delay=1 * ms)
    net.project(exc, inh.ex, FixedProbability(0.2), weight=300 * pA, delay=1.5 * ms)
    net.project(exc, exc.ex, FixedProbability(0.05), weight=Uniform(20 * pA, 60 * pA), delay=Uniform(1 * ms, 3 * ms))
    net.project(inh, exc.inh, FixedProbability(0.2), weight=-120 * pA, delay=1 * ms)
    return net


def main() -> None:
    """Write, read, run, compare."""
    given = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    out = Path("out/sonata")
    config = given or to_sonata(column(), out / "circuit", dt=0.1 * ms, duration=200 * ms)
    circuit = read_circuit(config)
    print(circuit)
    net = from_sonata(circuit)
    step, duration = circuit.dt or 0.1 * ms, circuit.duration or 1000 * ms
    cpu, chips = (t.compile(net, dt=step).run(duration, progress=False) for t in (CPU(), SpiNNaker2()))
    for population in net.populations:
        print(f"{population.name}: {cpu.count(population.name):,} spikes")
    print("first difference between the CPU and the chip:", first_difference(cpu, chips) or "none")
    out.mkdir(parents=True, exist_ok=True)
    save_spikes(cpu, out / "spikes.h5", sonata_nodes(circuit))
    print("spikes, as SONATA has them:", out / "spikes.h5")


if __name__ == "__main__":
    main()

"""What networks that classify have in common: neurons, the decision, running them on a target, a file of parameters.

Times count steps: 1 ms is one step of the input, however long that took in the world.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.engine import Program, Target
from neuromorph.errors import NetworkError
from neuromorph.language import Event, Neuron, Param, Port, State, neuron, step
from neuromorph.network import Dense, Network
from neuromorph.trace import Trace, first_difference
from neuromorph.units import ms

_Array = npt.NDArray[Any]

#: Length of a step.
DT = 1 * ms


@neuron
class CubaLIF:
    """Current-based leaky integrate-and-fire neuron without units: threshold 1, reset by subtraction."""

    a = Port()
    tau_m, tau_s = Param(4 * ms), Param(4 * ms)
    b, theta = Param(0.0), Param(1.0)
    i, v = State(0.0), State(0.0)

    i.jump = a
    i.dot = -i / tau_s
    v.dot = (i + b - v) / tau_m
    spike = Event(when=v > theta)
    v.reset = v - theta


@neuron
class Evidence:
    """Adds up its inputs, and sends the sum once, in step ``last``, as a graded event: evidence for one class."""

    a = Port()
    last = Param(0, dtype=int)
    v = State(0.0)

    v.jump = a
    verdict = Event(when=step == last, value=v)


@dataclass(frozen=True)
class Classified:
    """What became of a batch of samples on one target.

    Attributes
    ----------
    classes : int64 (samples,)
        The class with most evidence.
    evidence : float64 (samples, classes)
    events : dict of str to int
        Events of each population in all samples.
    activity : dict of str to float
        Events for each neuron and step.
    program : Program
        Its report tells what the run cost.
    trace : Trace or None
        Every event, where it was kept: sample b runs from step ``b * steps``.
    """

    classes: npt.NDArray[np.int64]
    evidence: npt.NDArray[np.float64]
    events: dict[str, int]
    activity: dict[str, float]
    program: Program
    trace: Trace | None

    def accuracy(self, labels: npt.ArrayLike) -> float:
        """Fraction of samples of which the class is right."""
        return float((self.classes == np.asarray(labels)).mean())

    def figures(self, labels: npt.ArrayLike) -> dict[str, Any]:
        """Accuracy and events, which are counts; for chips also what they take, and time and energy of a sample.

        Time and energy are a model's, see the target's report; they include what the whole machine draws.
        """
        samples = len(self.classes)
        found: dict[str, Any] = {
            "samples": samples,
            "accuracy": self.accuracy(labels),
            "events_per_sample": {name: count / samples for name, count in self.events.items()},
            "activity": self.activity,
        }
        report: Any = self.program.report()
        if getattr(report, "energy", None) is None:
            return found
        if hasattr(report, "pes"):  # SpiNNaker2
            found |= {"pes": int(report.pes), "synaptic_events_per_sample": report.synaptic_events / samples}
            joules = report.energy.by_cause
        else:  # Crossbar
            found |= {"arrays": int(report.plan.arrays), "conversions_per_sample": report.conversions / samples}
            joules = report.energy.by_component
        return found | {
            "chips": int(report.chips),
            "model_seconds_per_sample": report.time / samples,
            "model_joules_per_sample": report.energy.total / samples,
            "model_joules_by_cause": {cause: each / samples for cause, each in joules.items()},
        }


def classify(
    target: Target, network: Network, inputs: _Array, steps: int, *, out: str | PathLike[str] | None = None
) -> Classified:
    """Run every sample on a target and take the class with most evidence.

    Parameters
    ----------
    target : Target
        ``CPU()``, ``SpiNNaker2()``, ...
    network : Network
        Its first population is the input, its last one is of :class:`Evidence`.
    inputs : array (samples, steps of input, n)
        Values of events, 0 where there is none.
    steps : int
        Of a sample, until the evidence was sent.
    out : path, optional
        Keep the events in this file.
    """
    source, verdict = network.populations[0], network.populations[-1]
    program: Program = target.compile(network, dt=DT)
    with TemporaryDirectory() as folder:
        file = Path(folder) / "trace.h5" if out is None else out
        batch = program.run_batch({source.name: inputs}, steps, out=file)
        assert batch.trace is not None
        sent = batch.trace.events(verdict.name)
    evidence = np.zeros((len(inputs), verdict.size))
    assert sent.steps is not None
    evidence[sent.steps // steps, sent.ids] = 1.0 if sent.values is None else sent.values
    events = {name: int(counts.sum()) for name, counts in batch.counts.items()}
    activity = {name: float(counts.mean()) / steps for name, counts in batch.counts.items()}
    kept = None if out is None else batch.trace
    return Classified(evidence.argmax(1).astype(np.int64), evidence, events, activity, program, kept)


def compare(
    targets: Mapping[str, Target], network: Network, inputs: _Array, labels: npt.ArrayLike, steps: int
) -> list[dict[str, Any]]:
    """Classify on several targets: :meth:`Classified.figures` of each.

    ``"difference"`` is the first event that differs from those of the first target, as text, or None.
    """
    rows = []
    with TemporaryDirectory() as folder:
        traces = []
        for number, (name, target) in enumerate(targets.items()):
            found = classify(target, network, inputs, steps, out=Path(folder) / f"{number}.h5")
            assert found.trace is not None
            traces.append(found.trace)
            difference = first_difference(traces[0], traces[-1])
            rows.append({"target": name} | found.figures(labels) | {"difference": difference and str(difference)})
    return rows


def told(row: Mapping[str, Any]) -> str:
    """A row of :func:`compare` in one line."""
    text = f"{row['target']}: {row['accuracy']:.2%} of {row['samples']:,}"
    if "chips" in row:
        count, noun = (row["pes"], "PE") if "pes" in row else (row["arrays"], "array")
        parts = f"{count} {noun}{'' if count == 1 else 's'}"
        time, energy = row["model_seconds_per_sample"] * 1e6, row["model_joules_per_sample"] * 1e6
        text += f", {time:.0f} us and {energy:.1f} uJ a sample on {parts} (model)"
    active = ", ".join(f"{name} {value:.1%}" for name, value in row["activity"].items())
    return f"{text}; active: {active}; first difference: {row['difference'] or 'none'}"


def split(samples: int, held_out: float, seed: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Numbers of the samples to train with and of those held out, drawn at random; both ascend."""
    order = np.random.default_rng(seed).permutation(samples)
    cut = round(samples * held_out)
    return np.sort(order[cut:]), np.sort(order[:cut])


def parameters(network: Network) -> dict[str, _Array]:
    """What training changes: matrices of projections by name, values by neuron as ``"population.parameter"``."""
    found: dict[str, _Array] = {}
    for population in network.populations:
        if isinstance(population.neuron, Neuron):
            given = {name: np.asarray(getattr(v, "value", v)) for name, v in population.neuron.values}
            found |= {f"{population.name}.{name}": v for name, v in given.items() if v.ndim and v.dtype.kind == "f"}
    for projection in network.projections:
        if isinstance(projection.rule, Dense):
            found[projection.name] = np.asarray(projection.rule.weights)
    return found


def with_parameters(network: Network, values: Mapping[str, _Array]) -> Network:
    """The same network with other :func:`parameters`.

    Raises
    ------
    NetworkError
        If names or shapes are not those of the network.
    """
    shapes = {name: np.shape(value) for name, value in parameters(network).items()}
    given = {name: np.shape(value) for name, value in values.items()}
    if shapes != given:
        wrong = sorted(name for name in shapes.keys() | given.keys() if shapes.get(name) != given.get(name))
        raise NetworkError(
            f"network {network.name}: parameters do not fit: "
            + "; ".join(f"{name} is {shapes.get(name, 'not there')}, given {given.get(name, 'none')}" for name in wrong)
        )
    made = Network(network.seed, network.name)
    for population in network.populations:
        model = population.neuron
        own = f"{population.name}."
        if isinstance(model, Neuron):
            model = model(**{name.removeprefix(own): value for name, value in values.items() if name.startswith(own)})
        made.population(model, population.shape, population.name)
    for projection in network.projections:
        post = made.populations[projection.post.index].port(projection.port)
        rule = Dense(values[projection.name]) if projection.name in values else projection.rule
        weight = None if projection.name in values else projection.weight
        made.project(made.populations[projection.pre.index], post, rule, weight, projection.delay, projection.name)
    return made


def save(
    path: str | PathLike[str], network: Network, about: Mapping[str, Any], dtype: type[np.floating[Any]] = np.float16
) -> None:
    """Write a network's :func:`parameters` to an HDF5 file, in 16 bits; ``about`` become its attributes.

    Rounding to 16 bits changes a network a little: :func:`load` gives the one to be measured. Weights that are numbers
    of a code times a scale need ``dtype=np.float32``.
    """
    import h5py

    with h5py.File(path, "w") as file:
        for name, value in parameters(network).items():
            file.create_dataset(name, data=value.astype(dtype), compression="gzip", shuffle=True)
        file.attrs.update(about)


def load(path: str | PathLike[str], network: Network) -> Network:
    """``network`` with the parameters of a file."""
    import h5py

    with h5py.File(path) as file:
        return with_parameters(network, {name: np.asarray(file[name], np.float32) for name in file})

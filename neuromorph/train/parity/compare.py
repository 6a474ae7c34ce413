"""A module beside a target that runs its network: the same input, and where the two differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from neuromorph.engine import CPU
from neuromorph.engine.target import Target
from neuromorph.errors import NetworkError
from neuromorph.language.neuron import Neuron
from neuromorph.network import EventSource, Lookup, Network
from neuromorph.network.copy import with_neurons
from neuromorph.trace import Trace
from neuromorph.train.modules.mode import evaluated
from neuromorph.train.modules.module import Module
from neuromorph.train.modules.outputs import Outputs, read_outputs
from neuromorph.train.modules.sequence import Call
from neuromorph.train.parity.distance import Distance, with_distances
from neuromorph.train.parity.ordered import DTYPES, Ordered
from neuromorph.units import second

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class First:
    """The earliest event that a module and a target do not share.

    Attributes
    ----------
    population : str
    sample, neuron : int
    step : int
        Of the target.
    target, module : float or None
        The value that the event has there; None: there is no event.
    distance : Distance or None
        How far the target's neuron was from the threshold, where only one of the two fired.
    """

    population: str
    sample: int
    step: int
    neuron: int
    target: float | None
    module: float | None
    distance: Distance | None = None

    def __str__(self) -> str:
        said = [f"{who} {'has none' if v is None else f'has {v!r}'}" for who, v in self._each()]
        where = f"sample {self.sample}, step {self.step}, {self.population}, neuron {self.neuron}"
        return f"{where}: {said[0]}, {said[1]}" + ("" if self.distance is None else f"; {self.distance}")

    def _each(self) -> tuple[tuple[str, float | None], ...]:
        return ("the target", self.target), ("the module", self.module)


@dataclass(frozen=True)
class PopulationParity:
    """One population in both.

    Attributes
    ----------
    name : str
    events : (int, int)
        Of the target and of the module.
    missing, extra, changed : int
        Events that only the target has, that only the module has, and common ones whose values differ by more than the
        tolerance.
    largest : float
        Difference of the values of common events.
    states : dict of str to float
        Largest difference of each state or named intermediate, in the unit that it is recorded in.
    """

    name: str
    events: tuple[int, int]
    missing: int
    extra: int
    changed: int
    largest: float
    states: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Parity:
    """What :func:`compare` found; as a string, what a terminal shows.

    Attributes
    ----------
    populations : tuple of PopulationParity
    first : First or None
        None: every event of one is an event of the other, of the same value within the tolerance.
    """

    populations: tuple[PopulationParity, ...]
    first: First | None

    @property
    def equal(self) -> bool:
        """Whether all events are equal."""
        return self.first is None

    def __str__(self) -> str:
        lines = []
        for p in self.populations:
            verdict = f"{p.missing:,} missing, {p.extra:,} extra, {p.changed:,} changed"
            same = not (p.missing or p.extra or p.changed)
            lines.append(
                f"{p.name}: {p.events[0]:,} events of the target, {p.events[1]:,} of the module, "
                f"{'equal' if same else verdict}; largest difference of values {p.largest:.3g}"
            )
            lines += [f"  {name}: largest difference {largest:.3g}" for name, largest in p.states.items()]
        return "\n".join([*lines, "no difference" if self.first is None else f"first difference: {self.first}"])


def compare(
    module: Module,
    x: Tensor | Mapping[str, Tensor] | None = None,
    target: Target | None = None,
    *,
    steps: int | None = None,
    batch: int | None = None,
    states: Sequence[str] = (),
    ordered: bool = False,
    rtol: float | None = None,
) -> Parity:
    """Run a module and, on a target, the network that it returns; say where they differ.

    Both begin anew. Populations are compared in the steps that the module gives, row t with step ``t + lag``; those
    whose events the network does not record are left out.

    Parameters
    ----------
    module : Module
        Put into ``eval`` mode meanwhile.
    x, steps, batch
        As for :meth:`Module.forward`.
    target : Target, optional
        Default: ``CPU()`` in the module's float type.
    states : sequence of str
        States and outputs to compare, too, as in ``"hidden.v"``.
    ordered : bool
        Compare :class:`Ordered`, which must be equal bit for bit, instead of the module itself.
    rtol : float, optional
        Relative difference of event values that counts as none. Default: 0 if ``ordered``, else 1e-4 in float32 and
        1e-9 in float64.

    Raises
    ------
    NetworkError
        More than one sample of a network that draws random numbers: only the first draws those of a target.
    """
    if not isinstance(module, Module):
        raise NetworkError(f"compare: expected a train.Module, got {type(module).__name__}")
    if isinstance(states, str):
        raise NetworkError(f"compare: give a list of states, as in [{states!r}]")
    if target is not None and not hasattr(target, "compile"):
        raise NetworkError(f"compare: {target!r:.80} is not a target; give one such as CPU() or SpiNNaker2()")
    parts = module.parts()
    dtype = DTYPES[parts.dtype]
    if rtol is None:
        rtol = 0.0 if ordered else {"float32": 1e-4, "float64": 1e-9}[dtype]
    compared = [p.name for p in parts.network.populations if p.record_events]
    chosen = read_outputs(parts.network, [*states, *compared, *(f"{name}.fired" for name in compared)])
    outputs = Outputs(tuple({output.name: output for output in (*parts.outputs.each, *chosen.each)}.values()))
    with torch.no_grad(), evaluated(module):
        call = module.call(x, steps=steps, batch=batch, outputs=outputs)
        _require_comparable(call, states, ordered)
        ran = Ordered(module, outputs=outputs)(x, steps=steps, batch=batch) if ordered else call.run()
    y = {name: tensor.cpu().numpy() for name, tensor in ran[0].items()}
    given = module.given(x)
    runs = [
        _TargetRun(module, CPU(dtype) if target is None else target, given, sample, call.steps, states)
        for sample in range(call.batch)
    ]
    populations = tuple(_population(name, y, runs, module.lags[name], states, rtol) for name in compared)
    first = min((p[1] for p in populations if p[1] is not None), key=lambda f: (f.step, f.sample), default=None)
    if first is not None and (first.target is None) != (first.module is None):
        first = replace(first, distance=runs[first.sample].distance(first))
    return Parity(tuple(p[0] for p in populations), first)


def _require_comparable(call: Call, states: Sequence[str], ordered: bool) -> None:
    network = call.parts.network
    if call.batch > 1 and any(step is not None and step.random for step in call.parts.steps):
        raise NetworkError(
            f"compare: network {network.name} draws random numbers, and only the first of {call.batch} samples draws "
            "those that a target does; give one sample",
            batch=call.batch,
        )
    for output in call.parts.outputs.each:
        step = call.parts.steps[network[output.population].index]
        if output.name in states and not output.is_state and not ordered and step is not None:
            known = [name for name, _ in step.program.observables]
            if output.what not in known:
                raise NetworkError(
                    f"compare: the module does not give {output.name!r}, an intermediate value; make it with "
                    f"outputs=[..., {output.name!r}], or compare with ordered=True",
                    name=output.name,
                )


class _TargetRun:
    """The module's network on a target with the input of one sample."""

    def __init__(
        self,
        module: Module,
        target: Target,
        given: Mapping[str, Tensor],
        sample: int,
        steps: int,
        states: Sequence[str],
    ) -> None:
        network = module.network()
        sources = {name: _source(network, name, rows[:, sample].detach().cpu().numpy()) for name, rows in given.items()}
        self._target, self._dt = target, module.dt * second
        self.network = with_neurons(network, sources)
        self.network.recordings = ()
        for name in states:
            population, _, what = name.rpartition(".")
            self.network.record(self.network[population], what)
        self.trace = self._run(self.network, steps + max(module.lags.values()))

    def _run(self, network: Network, steps: int) -> Trace:
        return self._target.compile(network, self._dt).run(steps, progress=False)

    def distance(self, first: First) -> Distance | None:
        """How far a neuron is from the threshold that it is nearest to, in a run up to that step."""
        neuron = self.network[first.population].neuron
        if not isinstance(neuron, Neuron):
            return None
        named, texts = with_distances(neuron)
        network = with_neurons(self.network, {first.population: named})
        network.recordings = ()
        for name in texts:
            network.record(network[first.population], name)
        trace = self._run(network, first.step + 1)
        found = []
        for name, text in texts.items():
            recorded = trace.state(first.population, name, ids=[first.neuron])
            found.append(Distance(text, float(recorded[-1, 0]), recorded.unit or ""))
        return min(found, key=lambda each: abs(each.value), default=None)


def _source(network: Network, name: str, rows: Array) -> EventSource | Lookup:
    """What a source emits in one sample: events (steps, n), or ids (steps,) of a table."""
    if rows.ndim > 1:
        return EventSource.from_dense(rows)
    source = network[name].neuron
    assert isinstance(source, Lookup)  # ids are for tables alone
    return replace(source, ids=rows)


def _population(
    name: str, y: Mapping[str, Array], runs: Sequence[_TargetRun], lag: int, states: Sequence[str], rtol: float
) -> tuple[PopulationParity, First | None]:
    """One population in all samples."""
    events, counts, largest = np.zeros(2, np.int64), np.zeros(3, np.int64), 0.0
    firsts = []
    for sample, run in enumerate(runs):
        fired, values = y[f"{name}.fired"][:, sample] != 0, y[name][:, sample]
        found = run.trace.events(name)
        assert found.steps is not None  # traces of runs have steps
        inside = (found.steps >= lag) & (found.steps < lag + len(fired))
        theirs = (found.steps[inside] - lag) * fired.shape[1] + found.ids[inside]
        ours = np.flatnonzero(fired)
        weights = np.ones(len(theirs)) if found.values is None else found.values[inside]
        missing, extra = np.isin(theirs, ours, invert=True), np.isin(ours, theirs, invert=True)
        a, b = weights[~missing].astype(np.float64), values.ravel()[ours[~extra]].astype(np.float64)
        changed = np.abs(a - b) > rtol * np.abs(a)
        largest = max(largest, float(np.abs(a - b).max(initial=0.0)))
        events += len(theirs), len(ours)
        counts += missing.sum(), extra.sum(), changed.sum()
        places = np.concatenate([theirs[missing], ours[extra], ours[~extra][changed]])
        if len(places):
            place = int(places.min())
            row, neuron = divmod(place, fired.shape[1])
            here = np.flatnonzero(theirs == place)
            firsts.append(
                First(
                    name,
                    sample,
                    row + lag,
                    neuron,
                    float(weights[here[0]]) if len(here) else None,
                    float(values[row, neuron]) if fired[row, neuron] else None,
                )
            )
    differences = {state: _states(state, y, runs, lag) for state in states if state.rpartition(".")[0] == name}
    missed, more, other = (int(n) for n in counts)
    made = PopulationParity(name, (int(events[0]), int(events[1])), missed, more, other, largest, differences)
    return made, min(firsts, key=lambda first: first.step, default=None)


def _states(state: str, y: Mapping[str, Array], runs: Sequence[_TargetRun], lag: int) -> float:
    """Largest difference of a state in all samples, in the unit that it is recorded in."""
    population, _, name = state.rpartition(".")
    neuron: Any = runs[0].network[population].neuron
    scale = next((s.unit.scale for s in neuron.states if s.name == name), 1.0)
    largest = 0.0
    for sample, run in enumerate(runs):
        ours = y[state][:, sample]
        theirs = np.asarray(run.trace.state(population, name))[lag : lag + len(ours)]
        gap = np.abs(theirs - (ours.astype(np.float64) / scale).astype(theirs.dtype))
        largest = max(largest, float(gap.max(initial=0.0)))
    return largest

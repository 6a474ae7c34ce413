"""Models written for Nengo, taken in as networks."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import CheckError
from neuromorph.interchange.nengo.filters import DIRECT, Filter, Inputs, readout, relay
from neuromorph.interchange.nengo.neurons import ensemble, initial_states, refusal
from neuromorph.interchange.nengo.paths import Path, Paths, Relay, Series
from neuromorph.network import Dense, EventSource, Network, Population, Sparse
from neuromorph.network.values import seconds

Array = npt.NDArray[np.float64]


def from_nengo(
    model: Any, dt: Any = 0.001, seed: int | None = None, *, duration: Any = None, relays: bool = False
) -> Network:
    """A model that was written for Nengo, with its decoders solved by Nengo.

    Ensembles become populations that follow Nengo's update rule, spike for spike: LIF and SpikingRectifiedLinear, and
    LIFRate and RectifiedLinear with a graded event in every step. A decoded connection becomes one synapse for each
    pair of neurons (encoders times decoders) or, with ``relays``, passes through a small population that holds the
    decoded value.

    Parameters
    ----------
    model : nengo.Network
    dt : Quantity or float
        Length of a step, in seconds if a plain number; compile with the same.
    seed : int, optional
        For what the model leaves random. A model with a seed is built as ``nengo.Simulator`` builds it.
    duration : Quantity or float, optional
        How long to compute the outputs of nodes that change in time for.
    relays : bool
        Fewer synapses (neurons times dimensions), one step more delay for each decoded connection between ensembles.

    Returns
    -------
    Network
        Populations are named by label. A probe of a decoded value becomes a population ``probe of <label>`` whose
        recorded state ``value`` is what the probe holds; probes of neurons record spikes, ``voltage``,
        ``refractory_time``, ``current`` (Nengo's input) or ``rate``.

    Raises
    ------
    CheckError
        Listing everything that cannot be taken: learning rules, other neurons, noise, nodes that compute from
        input, filters that are not linear, transforms that are not dense.

    Notes
    -----
    What Nengo computes in step k (counted from 1) happens in step k - 1 here. A connection of spikes without a synapse
    acts one step later than in Nengo, since no event arrives in the step that sent it; so does a probe without one.
    """
    import nengo

    length = seconds(dt)
    problems = _problems(model, duration, nengo)
    if problems:
        raise CheckError(f"the Nengo model {model.label or ''} cannot be taken", problems)
    built = nengo.builder.Model(dt=length)
    if seed is not None and model.seed is None:
        built.seeds[model] = seed
    built.build(model)
    steps = None if duration is None else round(seconds(duration) / length)
    paths = Paths(built, steps, seed or 0)
    return _Import(model, built, paths, relays).network(seed or model.seed or 0)


def _problems(model: Any, duration: Any, nengo: Any) -> list[str]:
    """Everything in a model that cannot be taken."""
    found = []
    for cells in model.all_ensembles:
        refused = refusal(cells.neuron_type)
        if refused:
            found.append(f"{cells}: {refused}")
        if cells.noise is not None:
            found.append(f"{cells}: noise has no counterpart")
    for node in model.all_nodes:
        computed = callable(node.output) or isinstance(node.output, nengo.Process)
        if computed and node.size_in:
            found.append(f"{node}: it computes its output from input; only functions of time can be taken")
        elif computed and duration is None:
            found.append(f"{node}: its output changes in time; give duration=, for how long to compute it")
    for c in model.all_connections:
        if c.learning_rule_type is not None:
            found.append(f"{c}: the learning rule {c.learning_rule_type} has no counterpart")
        if type(c.transform).__name__ not in ("Dense", "NoTransform"):
            found.append(f"{c}: a {type(c.transform).__name__} transform; there is Dense only")
        if isinstance(c.post_obj, nengo.connection.LearningRule):
            found.append(f"{c}: it drives a learning rule")
        if isinstance(c.pre_obj, nengo.Node) and c.pre_obj.output is None and c.function is not None:
            found.append(f"{c}: a function of a passthrough node")
    found += [
        f"{item}: {item.synapse} is no linear filter"
        for item in (*model.all_connections, *model.all_probes)
        if item.synapse is not None and not isinstance(item.synapse, nengo.LinearFilter)
    ]
    for probe in model.all_probes:
        kind = next((k for k in _PROBES if isinstance(probe.obj, getattr(nengo.ensemble, k, nengo.Node))), "")
        if probe.attr not in _PROBES.get(kind, ()):
            found.append(f"{probe}: {probe.attr!r} of {probe.obj} cannot be probed")
        if probe.slice is not None and kind != "Ensemble":
            found.append(f"{probe}: it probes a part; probe the whole")
        if kind == "Neurons" and probe.attr in _RECORDED and probe.synapse is not None:
            found.append(f"{probe}: a filtered {probe.attr}; probe it with synapse=None")
    return found


_STATES = ("voltage", "refractory_time", "adaptation", "recovery", "rate_out")
_RECORDED = {"input": "current", **{name: name for name in _STATES}}
_PROBES = {
    "Ensemble": ("decoded_output",),
    "Neurons": ("output", "spikes", *_RECORDED),
    "Node": ("output",),
}


class _Import:
    def __init__(self, model: Any, built: Any, paths: Paths, relays: bool) -> None:
        self._model = model
        self._built = built
        self._paths = paths
        self._relays = relays
        self._sources: dict[tuple[Series, bool], Population] = {}
        self._names: set[str] = set()

    def network(self, seed: int) -> Network:
        """Ensembles first, then probes, then what connects them."""
        import nengo

        wanted: list[tuple[Any, str, list[Path]]] = []
        for cells in self._model.all_ensembles:
            name = self._name(cells.label or "ensemble")
            decoded = self._paths.to(cells)
            if self._relays and any(_relayed(p) for p in decoded):
                stop = Relay(self._name(f"relay of {name}"))
                wanted.append((stop, stop.name, [p for p in decoded if _relayed(p)]))
                onward = Path(stop, np.eye(cells.dimensions), DIRECT)
                decoded = [onward, *(p for p in decoded if not _relayed(p))]
            wanted.append((cells, name, self._currents(cells, decoded)))
        neurons = nengo.ensemble.Neurons
        for probe in self._model.all_probes:
            if not isinstance(probe.obj, neurons) or probe.synapse is not None:
                name = self._name(
                    probe.label or f"probe of {getattr(probe.obj, 'label', None) or type(probe.obj).__name__}"
                )
                wanted.append((probe, name, self._paths.probed(probe)))
        if self._paths.problems:
            raise CheckError("the Nengo model cannot be taken", self._paths.problems)
        self._net = Network(seed, (self._model.label or "network").replace("/", " "))
        populations = {target: self._population(target, name, paths) for target, name, paths in wanted}
        for target, _, paths in wanted:
            self._connect(populations, populations[target], paths)
        for probe in self._model.all_probes:
            if probe in populations:
                self._net.record(populations[probe], "value", every=self._every(probe))
            else:
                spiking = probe.obj.ensemble.neuron_type.spiking
                state = _RECORDED.get(probe.attr, None if spiking else "rate")
                if state is not None:
                    self._net.record(populations[probe.obj.ensemble], state, every=self._every(probe))
        return self._net

    def _every(self, probe: Any) -> int:
        return 1 if probe.sample_every is None else max(round(probe.sample_every / self._built.dt), 1)

    def _name(self, wanted: str) -> str:
        plain = wanted.replace("/", " ")
        name, number = plain, 1
        while name in self._names:
            number += 1
            name = f"{plain} {number}"
        self._names.add(name)
        return name

    def _currents(self, cells: Any, decoded: list[Path]) -> list[Path]:
        """Paths to an ensemble and its neurons, all in the currents of its neurons."""
        params = self._built.params[cells]
        encoded = [
            p if p.direct_current else Path(p.source, params.scaled_encoders @ p.matrix, p.filter) for p in decoded
        ]
        neurons = self._paths.to(cells.neurons)
        return encoded + [Path(p.source, params.gain[:, None] * p.matrix, p.filter) for p in neurons]

    def _population(self, target: Any, name: str, paths: list[Path]) -> Population:
        size = target.n_neurons if hasattr(target, "n_neurons") else paths[0].matrix.shape[0] if paths else 1
        inputs = _inputs(paths)
        if not hasattr(target, "n_neurons"):
            made = relay(inputs) if isinstance(target, Relay) else readout(inputs)
            return self._net.population(made, size, name, record=False)
        states = initial_states(target.neuron_type, self._built.sig[target.neurons])
        bias = np.asarray(self._built.params[target].bias, np.float64)
        neuron = ensemble(name, target.neuron_type, bias, states, inputs)
        return self._net.population(neuron, size, name)

    def _connect(self, populations: dict[Any, Population], post: Population, paths: list[Path]) -> None:
        grouped: dict[tuple[Any, Filter], Any] = defaultdict(float)
        for path in paths:
            grouped[path.source, path.filter] += path.matrix
        for (source, item), matrix in grouped.items():
            if isinstance(source, Series):
                if source.constant:
                    continue
                pre = self._source(source, early=item == DIRECT)
            else:
                pre = populations[source]
            weights = matrix.T
            dense = np.count_nonzero(weights) > 0.5 * weights.size
            rule = Dense(weights) if dense else Sparse((*np.nonzero(weights), weights[np.nonzero(weights)]))
            self._net.project(pre, post.port(item.name), rule)

    def _source(self, series: Series, early: bool) -> Population:
        """Events of a node's output; early ones are sent a step ahead, to act in the step of their value."""
        if (series, early) not in self._sources:
            values = series.values[1:] if early else series.values
            name = self._name(f"{series.name} ahead" if early else series.name)
            self._sources[series, early] = self._net.population(EventSource.from_dense(values), name=name, record=False)
        return self._sources[series, early]


def _relayed(path: Path) -> bool:
    """Whether a path to an ensemble goes through its relay: decoded spikes behind a filter."""
    return not (path.direct_current or path.filter == DIRECT or isinstance(path.source, Series))


def _inputs(paths: list[Path]) -> Inputs:
    """The ports and constants that paths to one population need."""
    filters: list[Filter] = []
    constants: dict[Filter, Any] = defaultdict(float)
    first: Any = None
    for path in paths:
        if isinstance(path.source, Series) and path.source.constant:
            constants[path.filter] += path.matrix @ path.source.values
            continue
        filters.append(path.filter)
        if isinstance(path.source, Series) and path.filter == DIRECT:
            first = (0.0 if first is None else first) + path.matrix @ path.source.values[0]
    return Inputs(filters, constants, first)

"""Models written for Nengo, taken in as networks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import CheckError, NetworkError
from neuromorph.interchange.nengo.filters import DIRECT, Filter, Inputs, readout, relay
from neuromorph.interchange.nengo.learned import Learned, learned_connection
from neuromorph.interchange.nengo.neurons import ensemble, initial_states
from neuromorph.interchange.nengo.paths import Path, Paths, Relay, encoded
from neuromorph.interchange.nengo.problems import RECORDED, passes_on, problems
from neuromorph.interchange.nengo.processes import Series, drawn
from neuromorph.interchange.nengo.transforms import Shared, eye, plain, rule_of
from neuromorph.network import Network, Population, Projection
from neuromorph.network.values import seconds

Array = npt.NDArray[np.float64]


def from_nengo(
    model: Any, dt: Any = 0.001, seed: int | None = None, *, duration: Any = None, relays: bool = False
) -> Network:
    """A model that was written for Nengo, with its decoders solved by Nengo.

    Ensembles become populations that follow Nengo's update rule, spike for spike; neurons without spikes send a graded
    event in every step. A decoded connection becomes one synapse for each pair of neurons (encoders times decoders) or,
    with ``relays``, passes through a small population that holds the decoded value. Learning rules become plastic
    synapses.

    Parameters
    ----------
    model : nengo.Network
    dt : Quantity or float
        Length of a step, in seconds if a plain number; compile with the same.
    seed : int, optional
        For what the model leaves random. A model with a seed is built as ``nengo.Simulator`` builds it.
    duration : Quantity or float, optional
        How long to compute the outputs of nodes that change in time, and noise, for; after it they are 0.
    relays : bool
        Fewer synapses (neurons times dimensions), one step more delay for each decoded connection between ensembles.

    Returns
    -------
    Network
        Populations are named by label. A probe of a value becomes a population ``probe of <label>`` whose recorded
        state ``value`` is what the probe holds; probes of neurons record spikes, Nengo's states by name, ``current``
        (Nengo's input) or ``rate``; a probe of learned weights records ``w`` of the projection ``learned <label>``,
        times Nengo's output for one event. ``sample_every`` of p steps gives the rows of steps 0, p, 2 p, ...

    Raises
    ------
    CheckError
        Listing everything that cannot be taken, with the reason.
    NetworkError
        No model, a step or duration that is none, or a node whose output is not finite.

    Notes
    -----
    What Nengo computes in step k (counted from 1) happens in step k - 1 here. A connection of spikes without a synapse
    acts one step later than in Nengo, since no event arrives in the step that sent it; so does a probe without one,
    and a learned connection to a passthrough node.
    """
    import nengo

    if not isinstance(model, nengo.Network):
        raise NetworkError(f"from_nengo: expected a nengo.Network, got {model!r:.80}", got=model)
    length = seconds(dt)
    steps = None if duration is None else round(seconds(duration, "duration") / length)
    if steps == 0:
        raise NetworkError(f"from_nengo: duration is {duration}; give at least a step, {length:g} s", got=duration)
    found = problems(model, length, duration)
    if found:
        raise CheckError(f"the Nengo model {model.label or ''} cannot be taken", found)
    built = nengo.builder.Model(dt=length)
    if seed is not None and model.seed is None:
        built.seeds[model] = seed
    built.build(model)
    return _Import(model, built, steps, relays).network(seed or model.seed or 0)


class _Wanted:
    """A population to be: what it is made of, and what arrives."""

    def __init__(self, target: Any, name: str, paths: Sequence[Path]) -> None:
        self.target = target
        self.name = name
        self.paths = list(paths)
        self.seen: dict[str, list[Path]] = {}

    @property
    def size(self) -> int:
        """Number of neurons."""
        if hasattr(self.target, "n_neurons"):
            return int(self.target.n_neurons)
        return int(self.paths[0].weights.shape[0]) if self.paths else 1

    def groups(self) -> dict[str, list[Path]]:
        """Paths by the prefix of their ports."""
        direct = {"neurons_": [p for p in self.paths if p.into == "neurons"]}
        seen = {f"{name}_": paths for name, paths in self.seen.items()}
        return {"": [p for p in self.paths if p.into != "neurons"], **direct, **seen}


class _Import:
    def __init__(self, model: Any, built: Any, steps: int | None, relays: bool) -> None:
        self._model = model
        self._built = built
        self._steps = steps or 0
        self._relays = relays
        self._paths = Paths(built, steps, self._relay_of)
        self._sources: dict[tuple[Series, bool], Population] = {}
        self._names: set[str] = set()
        self._wanted: list[_Wanted] = []
        self._learned: dict[Any, Learned] = {}
        self._learners: dict[Any, Relay] = {}
        self._projections: dict[Any, Projection] = {}

    def network(self, seed: int) -> Network:
        """Ensembles first, then probes, then what connects them."""
        for cells in self._model.all_ensembles:
            if not passes_on(cells):
                self._want_ensemble(cells)
        for probe in self._model.all_probes:
            if not _on_population(probe):
                label = getattr(probe.obj, "label", None) or type(probe.obj).__name__
                self._want(probe, probe.label or f"probe of {label}", self._paths.probed(probe))
        for learner in self._learners.values():  # filled while paths are followed
            self._want(learner, learner.name, self._paths.relayed_input(learner.of))
        for wanted in list(self._wanted):
            self._see_errors(wanted)
        if self._paths.problems:
            raise CheckError("the Nengo model cannot be taken", self._paths.problems)
        self._net = Network(seed, (self._model.label or "network").replace("/", " "))
        populations = {w.target: self._population(w) for w in self._wanted}
        for wanted in self._wanted:
            self._connect(populations, wanted)
        for probe in self._model.all_probes:
            self._record(populations, probe)
        return self._net

    def _want_ensemble(self, cells: Any) -> None:
        name = self._name(cells.label or "ensemble")
        params, decoded = self._built.params[cells], self._paths.to(cells)
        moving = self._encoder_rule(cells)
        through = [p for p in decoded if p.into == "value" and (moving or (self._relays and _relayed(p)))]
        if through or moving:
            stop = Relay(self._name(f"relay of {name}"), cells)
            self._want(stop, stop.name, through, named=True)
            onward = Path(stop, eye(cells.dimensions), DIRECT, learned=moving)
            decoded = [onward, *(p for p in decoded if p not in through)]
        paths = [p if p.into == "current" else encoded(p, params.scaled_encoders) for p in decoded]
        if cells.noise is not None:
            noise = drawn(cells.noise, cells.n_neurons, self._steps, self._built.dt, self._built.seeds[cells])
            paths.append(Path(Series(f"noise of {name}", noise), eye(cells.n_neurons), DIRECT, "current"))
        self._want(cells, name, [*paths, *self._paths.to(cells.neurons)], named=True)

    def _want(self, target: Any, name: str, paths: list[Path], named: bool = False) -> None:
        self._wanted.append(_Wanted(target, name if named else self._name(name), paths))

    def _encoder_rule(self, cells: Any) -> Any:
        """The connection whose learning rule moves an ensemble's encoders."""
        import nengo

        rules = [c for c in self._model.all_connections if c.post_obj is cells]
        return next((c for c in rules if isinstance(c.learning_rule_type, nengo.Voja)), None)

    def _relay_of(self, c: Any) -> Relay | None:
        """The relay of a learned connection; None where its synapses reach the neurons themselves."""
        import nengo

        if c.learning_rule_type is None or isinstance(c.learning_rule_type, nengo.Voja) or c._to_neurons:
            return None
        if isinstance(c.post_obj, nengo.Ensemble) and not (self._relays or passes_on(c.post_obj)):
            return None
        if c not in self._learners:
            self._learners[c] = Relay(f"decoded by {_title(c)}", c)
        return self._learners[c]

    def _see_errors(self, wanted: _Wanted) -> None:
        """Ports for what learning rules of arriving connections need to know."""
        for c in dict.fromkeys(p.learned for p in wanted.paths if p.learned is not None):
            learned = learned_connection(self._built, c, f"error_{len(self._learned)}", wanted.target)
            self._learned[c] = learned
            if learned.error is not None:
                arriving = self._paths.to(c.learning_rule)
                wanted.seen[learned.state] = [encoded(p, learned.error) for p in arriving]

    def _name(self, wanted: str) -> str:
        plain_name = wanted.replace("/", " ")
        name, number = plain_name, 1
        while name in self._names:
            number += 1
            name = f"{plain_name} {number}"
        self._names.add(name)
        return name

    def _population(self, wanted: _Wanted) -> Population:
        target, groups = wanted.target, wanted.groups()
        direct = groups.pop("neurons_")
        inputs = _inputs(groups.pop(""))
        seen = {name: _inputs(groups[f"{name}_"], f"{name}_") for name in wanted.seen}
        if isinstance(target, Relay):
            return self._net.population(relay(inputs, seen), wanted.size, wanted.name, record=False)
        if not hasattr(target, "n_neurons"):
            return self._net.population(readout(inputs), wanted.size, wanted.name, record=False)
        params = self._built.params[target]
        neuron = ensemble(
            wanted.name,
            target.neuron_type,
            np.asarray(params.bias, np.float64),
            initial_states(target.neuron_type, self._built.sig[target.neurons]),
            inputs,
            direct=_inputs(direct, "neurons_") if direct else None,
            gain=np.asarray(params.gain, np.float64),
            seen=seen,
        )
        return self._net.population(neuron, wanted.size, wanted.name)

    def _connect(self, populations: Mapping[Any, Population], wanted: _Wanted) -> None:
        post = populations[wanted.target]
        for prefix, paths in wanted.groups().items():
            grouped: dict[tuple[Any, Filter], Any] = defaultdict(float)
            for path in paths:
                if isinstance(path.source, Series) and path.source.constant:
                    continue
                port = post.port(prefix + path.filter.name)
                if path.learned is not None:
                    c, pre = path.learned, populations[path.source]
                    self._projections[c] = self._learned[c].project(self._net, pre, port, path.weights, _title(c))
                elif isinstance(path.weights, Shared):
                    self._net.project(self._pre(populations, path), port, path.weights)
                else:
                    grouped[path.source, path.filter] = grouped[path.source, path.filter] + plain(path.weights)
            for (source, item), weights in grouped.items():
                pre = self._pre(populations, Path(source, weights, item))
                self._net.project(pre, post.port(prefix + item.name), rule_of(weights))

    def _pre(self, populations: Mapping[Any, Population], path: Path) -> Population:
        """Where the events of a path come from; a node's are sent ahead where no synapse makes them late."""
        if not isinstance(path.source, Series):
            return populations[path.source]
        key = (path.source, path.filter == DIRECT)
        if key not in self._sources:
            name = self._name(f"{path.source.name} ahead" if key[1] else path.source.name)
            self._sources[key] = self._net.population(path.source.source(key[1]), name=name, record=False)
        return self._sources[key]

    def _record(self, populations: Mapping[Any, Population], probe: Any) -> None:
        every = 1 if probe.sample_every is None else max(round(probe.sample_every / self._built.dt), 1)
        if probe in populations:
            self._net.record(populations[probe], "value", every=every)
        elif probe.attr == "weights":
            self._net.record(self._projections[probe.obj], "w", every=every)
        else:
            state = RECORDED.get(probe.attr, None if probe.obj.ensemble.neuron_type.spiking else "rate")
            if state is not None:
                self._net.record(populations[probe.obj.ensemble], state, every=every)


def _on_population(probe: Any) -> bool:
    """Whether a probe holds what a population or a projection records itself."""
    return probe.attr == "weights" or (hasattr(probe.obj, "ensemble") and probe.synapse is None)


def _title(c: Any) -> str:
    """A name for what belongs to a learned connection."""
    ends = [getattr(end, "ensemble", end) for end in (c.pre_obj, c.post_obj)]
    labels = [end.label or type(end).__name__.lower() for end in ends]
    return f"learned {c.label or ' to '.join(labels)}".replace("/", " ")


def _relayed(path: Path) -> bool:
    """Whether a path to an ensemble may go through its relay: decoded spikes behind a filter."""
    return not (path.learned or path.filter == DIRECT or isinstance(path.source, Series | Relay))


def _inputs(paths: list[Path], prefix: str = "") -> Inputs:
    """The ports and constants that paths to one population need."""
    filters: list[Filter] = []
    constants: dict[Filter, Any] = defaultdict(float)
    first: Any = None
    for path in paths:
        if isinstance(path.source, Series) and path.source.constant:
            constants[path.filter] += plain(path.weights) @ path.source.values
            continue
        filters.append(path.filter)
        if isinstance(path.source, Series) and path.filter == DIRECT:
            first = (0.0 if first is None else first) + plain(path.weights) @ path.source.first()
    return Inputs(filters, constants, first, prefix)

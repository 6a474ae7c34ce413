"""From a SONATA circuit to a network.

SONATA: Dai et al. (2020), "The SONATA data format for efficient description of large-scale network models", PLoS
Computational Biology 16(2), e1007696.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from os import PathLike
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import CheckError, NetworkError
from neuromorph.interchange.sonata.attributes import Ints
from neuromorph.interchange.sonata.circuit import Circuit, Nodes, read_circuit
from neuromorph.interchange.sonata.clamps import project_clamps, read_clamps, with_ports
from neuromorph.interchange.sonata.edges import EdgeGroup, edge_groups
from neuromorph.interchange.sonata.groups import Models, NodeGroup, node_groups
from neuromorph.interchange.sonata.inputs import event_source, input_problems, read_spikes, spike_sources
from neuromorph.interchange.sonata.reports import recordings, run_problems
from neuromorph.interchange.sonata.stdp import stdp
from neuromorph.interchange.sonata.timing import steps_of, warn_of_shifts
from neuromorph.language.expr import Type
from neuromorph.network import EventSource, Live, Network, Population, Sparse
from neuromorph.units import Quantity, metre, ms, second

Given = EventSource | Live | str | PathLike[str]


def from_sonata(
    source: str | PathLike[str] | Mapping[str, Any] | Circuit,
    *,
    models: Models | None = None,
    inputs: Mapping[str, Given] | None = None,
    ignore: Collection[str] = (),
    dt: Quantity | None = None,
    seed: int | None = None,
) -> Network:
    """Make a network of a SONATA circuit.

    Every population of nodes becomes a population of the same name whose neuron k is node k (if its nodes have several
    models, one population for each, ``name.model``; :func:`sonata_nodes` has the ids). Every population of edges
    becomes a projection, or one for each sign of its weights and pair of populations. Virtual nodes send the spikes of
    the configuration's inputs.

    Parameters
    ----------
    source : path, mapping or Circuit
        A circuit or simulation configuration (.json) or its content, see :func:`read_circuit`.
    models : mapping of str to Neuron or Template, optional
        Neurons by model template (``{"nest:my_model": MyNeuron}``), whose ``dynamics_params`` then are values of the
        neuron's parameters; or by population of nodes, whose neurons then all are this one, as it stands.
    inputs : mapping of str to EventSource, Live or path, optional
        What populations of virtual nodes send, instead of what the configuration says; a path is that of a spike file.
    ignore : collection of str
        What to leave out knowingly: names of attributes (``"target_sections"``), or sections of the configuration
        (``"inputs/clamp"``, ``"reports/ecp"``). ``"model_template"`` takes unknown synapses as static, ``"delay"``
        delays below a step as one step.
    dt : Quantity, optional
        The step that the network will run with; default: the configuration's ``run/dt``. Spikes of one node in one step
        become one event that counts them. Times between steps count at the nearest, spikes at the next one where the
        configuration's ``target_simulator`` is NEST, as NEST has it; a warning says how far they move.
    seed : int, optional
        Of the network; default: the configuration's ``run/random_seed``, or 0.

    Raises
    ------
    NetworkError
        If a file is missing or damaged.
    CheckError
        If anything cannot be taken over: everything that cannot is listed.

    Warns
    -----
    UserWarning
        If times of spikes or delays lie between steps: whose, how far they move, and the step that moves none.
    """
    circuit = source if isinstance(source, Circuit) else read_circuit(source)
    problems: list[str] = []
    ignored = frozenset(ignore)
    groups = node_groups(circuit, models or {}, ignored, problems)
    problems += run_problems(circuit, ignored)
    step = circuit.dt if dt is None else dt
    dt_ms = None if step is None else float(step / ms)
    times: dict[str, npt.NDArray[np.float64]] = {}
    sources = _sources(circuit, groups, inputs or {}, dt_ms, ignored, problems, times)
    edges = [
        part for made in circuit.edges.values() for part in edge_groups(circuit, made, groups, dt_ms, ignored, problems)
    ]
    problems += input_problems(circuit, ignored | {f"inputs/{name}" for name in _replaced(circuit, inputs or {})})
    clamps = read_clamps(circuit, groups, dt_ms, ignored, problems)
    wanted = recordings(circuit, groups, step, ignored, problems)
    if problems:
        raise CheckError(f"SONATA circuit {circuit.name}", list(dict.fromkeys(problems)))
    if dt_ms is not None:
        delays = {part.name: np.unique(part.delays) for part in edges}
        warn_of_shifts(circuit.name, dt_ms, times, delays, circuit.counts_up)
    groups = with_ports(groups, clamps)
    net = Network(int(circuit.run.get("random_seed", 0)) if seed is None else seed, circuit.name)
    made: dict[str, Population] = {}
    for group in groups:
        neuron = sources[group.name] if group.neuron is None else group.neuron
        positions = _positions(circuit.nodes[group.nodes], group)
        made[group.name] = net.population(neuron, len(group.ids), name=group.name, positions=positions)
    for part in edges:
        if part.plastic is not None and dt_ms is not None:
            _project_plastic(net, made, part, part.plastic, dt_ms)
        else:
            _project(net, made, part)
    if clamps and dt_ms is not None:
        project_clamps(net, made, groups, clamps, dt_ms)
    for name, variable, every in wanted:
        net.record(made[name], variable, every=every)
    return net


def sonata_nodes(
    source: str | PathLike[str] | Mapping[str, Any] | Circuit, models: Models | None = None
) -> dict[str, tuple[str, Ints]]:
    """Which nodes the populations of :func:`from_sonata` are.

    Parameters
    ----------
    source, models
        As given to :func:`from_sonata`.

    Returns
    -------
    dict of str to (str, int64 array (n,))
        For each population, SONATA's population of nodes and the ids of its neurons.
    """
    circuit = source if isinstance(source, Circuit) else read_circuit(source)
    groups = node_groups(circuit, models or {}, frozenset(), [])
    return {group.name: (group.nodes, group.ids) for group in groups}


def _sources(
    circuit: Circuit,
    groups: list[NodeGroup],
    given: Mapping[str, Given],
    dt: float | None,
    ignored: frozenset[str],
    problems: list[str],
    times: dict[str, npt.NDArray[np.float64]],
) -> dict[str, EventSource | Live]:
    """What each group of virtual nodes sends; ``dt`` in ms. When, as the files say it, goes to ``times``."""
    stored = spike_sources(circuit, problems, ignored | {f"inputs/{name}" for name in _replaced(circuit, given)})
    virtual = {group.nodes: group for group in groups if group.neuron is None}
    problems += [
        f"inputs: spikes for {name}, whose nodes are not virtual; neurons of a model send their own spikes alone"
        for name in stored.keys() - virtual.keys()
    ]
    have = ", ".join(virtual) or "none"
    problems += [
        f"inputs: {name} is no population of virtual nodes; those are {have}" for name in given.keys() - virtual.keys()
    ]
    made: dict[str, EventSource | Live] = {}
    for name, group in virtual.items():
        own = given.get(name)
        try:
            if isinstance(own, EventSource | Live):
                if own.size != len(group.ids):
                    problems.append(f"inputs: {own!r} for the {len(group.ids)} nodes of {name}; sizes must agree")
                made[group.name] = own
                continue
            spikes = stored.get(name, [])
            if own is not None:
                tables = read_spikes(own)
                if name not in tables and len(tables) != 1:
                    problems.append(f"inputs: {own} has no spikes of population {name}; it has {', '.join(tables)}")
                    continue
                spikes = [tables.get(name, next(iter(tables.values())))]
            local = [(times, np.searchsorted(group.ids, nodes)) for times, nodes in spikes]
            if any(len(n) and not np.isin(n, group.ids).all() for _, n in spikes):
                problems.append(f"inputs: spikes of nodes of {name} that do not exist or are not virtual")
                continue
            made[group.name] = event_source(f"inputs of {name}", len(group.ids), local, dt, circuit.counts_up)
            times[group.name] = np.concatenate([np.empty(0), *(own_times for own_times, _ in local)])
        except NetworkError as error:
            problems.append(str(error))
    return made


def _replaced(circuit: Circuit, given: Mapping[str, Given]) -> list[str]:
    """Inputs of the configuration whose node set is a population that the user gives spikes for."""
    return [name for name, section in circuit.inputs.items() if _population(circuit, section.get("node_set")) in given]


def _population(circuit: Circuit, node_set: Any) -> Any:
    named = circuit.node_sets.get(node_set, node_set) if isinstance(node_set, str) else node_set
    if isinstance(named, Mapping):
        named = named.get("population") if len(named) == 1 else None
    return named if isinstance(named, str) else None


def _positions(nodes: Nodes, group: NodeGroup) -> Quantity | None:
    """x, y and z, which SONATA has in micrometres."""
    names = [name for name in ("x", "y", "z") if name in nodes.attributes.names]
    if not names:
        return None
    columns = np.stack([nodes.attributes.numbers(name)[group.ids] for name in names], axis=1)
    return None if np.isnan(columns).any() else columns * 1e-6 * metre


def _project(net: Network, made: Mapping[str, Population], part: EdgeGroup) -> None:
    post = made[part.post]
    port = post.port(part.port)
    spec = next(spec for spec in post.neuron.ports if spec.name == part.port)
    unit, weight = spec.unit, _compact(part.weights)
    if spec.type is Type.INT:
        weight = np.asarray(weight).astype(np.int64) if np.ndim(weight) else int(weight)
    delay = _compact(part.delays) * 1e-3
    typed: Any = weight if unit.dim.is_none else Quantity(weight, unit.dim, unit)
    columns: tuple[Any, ...] = (part.sources, part.targets)
    if np.ndim(weight) or np.ndim(delay):
        columns = (*columns, typed if np.ndim(weight) else _spread(typed, len(part.sources)))
        if np.ndim(delay):
            columns = (*columns, delay * second)
        net.project(
            made[part.pre], port, Sparse(columns), delay=None if np.ndim(delay) else delay * second, name=part.name
        )
    else:
        net.project(made[part.pre], port, Sparse(columns), weight=typed, delay=delay * second, name=part.name)


def _project_plastic(
    net: Network, made: Mapping[str, Population], part: EdgeGroup, given: Mapping[str, Any], dt: float
) -> None:
    """Project by NEST's stdp_synapse; the step ``dt`` in ms."""
    steps = steps_of(part.delays, dt, up=False)
    order = np.lexsort((part.targets, part.sources, -steps))  # the network's own: values of synapses are given in it
    sources, targets, steps = part.sources[order], part.targets[order], steps[order]
    spec = next(spec for spec in made[part.post].neuron.ports if spec.name == part.port)
    one = _spread(1.0 if spec.unit.dim.is_none else 1.0 * spec.unit, len(order))
    net.project(
        made[part.pre],
        made[part.post].port(part.port),
        Sparse((sources, targets, one, steps)),
        synapse=stdp(given, part.port, part.unit, part.weights[order]),
        delays={"on_post": 2 * steps - 1},
        name=part.name,
    )


def _compact(values: npt.NDArray[np.float64]) -> Any:
    """One number where all are the same."""
    return float(values[0]) if len(values) and (values == values[0]).all() else values


def _spread(value: Any, n: int) -> Any:
    """One weight as a column, for synapses whose delays differ."""
    if isinstance(value, Quantity):
        return Quantity(np.full(n, value.value), value.dim, value.unit)
    return np.full(n, value)

"""From a NIR graph to a network."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from math import prod
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import CheckError, NetworkError
from neuromorph.interchange.nir.file import Graph, Node, read_graph
from neuromorph.interchange.nir.inputs import with_inputs
from neuromorph.interchange.nir.linear import LINEAR, Shape, product
from neuromorph.interchange.nir.neurons import PARAMETERS, TIMES, Input, Sum, model
from neuromorph.interchange.nir.options import Options, read_options
from neuromorph.interchange.nir.schedule import Schedule, schedule, unscheduled
from neuromorph.interchange.nir.signals import ENDS, Signal, Term, Wiring, shapes_of, wiring
from neuromorph.language import Neuron
from neuromorph.network import EventSource, Network, Population
from neuromorph.units import Hz, Quantity, second

Events = EventSource | npt.ArrayLike


def from_nir(
    source: str | PathLike[str] | Any,
    *,
    dt: Quantity | None = None,
    events: Events | Mapping[str, Events] | None = None,
    reset: str | None = None,
    method: str | None = None,
    forward: str | None = None,
    time_unit: Quantity | None = None,
    names: Mapping[str, str] | None = None,
) -> Network:
    """Make a network of a NIR graph.

    Every neuron of the graph becomes a population with the name of its node (``outer.inner`` in nested graphs), every
    chain of nodes without a state one projection with their names, its constants the neurons' ``bias``. Convolutions
    and pooling keep their rule, so their weights stay shared. Several maps in a row are multiplied if the product is no
    larger than they are; else one of them becomes a population, too, which sends on its sum. An output that one
    population alone feeds, unchanged, is that population; any other becomes one of its own.

    What the graph computes in step t, a population computes in step ``t + latency(population)``: see
    :mod:`neuromorph.interchange.nir.schedule`.

    Options that are left out are those that :func:`neuromorph.to_nir` left in the graph, or else the defaults.

    Parameters
    ----------
    source : path or nir.NIRGraph
    dt : Quantity
        The step that the network will run with; delays are rounded to it. Other programs' files do not hold it.
    events : array (steps, channels...) or EventSource, optional
        What the graph's input gets; for several inputs, a mapping by node. An event of value 1 is an input of 1 for
        one step. Without it, an input is a population that emits its parameter ``value`` in every step where it is
        not 0: ``program.set("input", value=...)``, or one sample each with ``run_batch``.
    reset : {"zero", "subtract", "snntorch", "snntorch_delay", "snntorch_delay_zero", "multiple"}, optional
        What follows a spike; NIR's own is "zero", v = v_reset. See :mod:`neuromorph.interchange.nir.firing`.
    method : {"euler", "exponential_euler", "exact", "auto", "rockpool"}, optional
        How equations are integrated. "euler" is what most simulators do that write these files, hence the default;
        current-based neurons then step first the current, then the membrane. "rockpool" is for files of that program:
        see :mod:`neuromorph.interchange.nir.neurons`.
    forward : {"same", "next"}, optional
        When an event arrives along a connection without a delay: in the step in which it is sent, as in snnTorch,
        norse and sinabs (default), or in the next, as in Lava and Spyx. One that closes a loop arrives in the next step
        either way. With "next" there are no latencies, and maps in a row are always multiplied.
    time_unit : Quantity, optional
        Unit of times in the file; default: a second. Some exporters count in steps: give dt then.
    names : mapping of str to str, optional
        Other names for some populations, by node.

    Raises
    ------
    NetworkError
        If there is no such file, or it is no NIR graph, or an option is wrong, or there is no dt.
    CheckError
        If anything in the graph cannot be represented: everything that cannot is listed.
    """
    title = Path(source).stem if isinstance(source, str | PathLike) else "nir"
    graph, problems = read_graph(source)
    options = read_options("from_nir", graph.options, dt, reset, method, forward, time_unit)
    problems += [
        f"{node}: this type has no equivalent; known are {', '.join((*ENDS, *LINEAR[:-1]))}"
        for node in graph.nodes.values()
        if node.type not in ENDS and node.type not in LINEAR
    ]
    _refuse(title, problems)
    graph = with_inputs(graph)
    shapes, effects = shapes_of(graph, options.step, problems)
    _refuse(title, problems)
    _refuse(title, [f"{node}: nothing reaches it" for node in graph.nodes.values() if node.name not in shapes])
    for name in names or ():
        if name not in graph.nodes:
            raise NetworkError(f"from_nir: names: the graph has no node {name!r}; it has {', '.join(graph.nodes)}")
    wired = wiring(graph, shapes, effects, options.forward == "same", problems)
    neurons = _neurons(graph, shapes, wired, options, problems)
    _refuse(title, problems)
    fed = {name: signal for name, signal in wired.signals.items() if name in neurons}
    connections: dict[tuple[str, str], int] = {}
    for name, signal in fed.items():
        for term in signal.terms:
            known = connections.get((term.source, name), term.shortest)
            connections[term.source, name] = min(known, term.shortest)
    inputs = [name for name in neurons if graph.nodes[name].type == "Input"]
    same = options.forward == "same"
    plan = schedule(neurons, inputs, connections) if same else unscheduled(neurons, connections)
    sources = _sources(graph, shapes, events)
    net = Network(name=title)
    made: dict[str, Population] = {}
    for name in sorted(neurons, key=plan.latency.__getitem__):
        neuron = neurons[name](start=plan.latency[name]) if name in fed else neurons[name]
        shape, chosen = _layout(shapes[name], fed.get(name)), (names or {}).get(name, name)
        made[name] = net.population(sources.get(name, neuron), shape, name=chosen)
    for name in (name for name in made if name in fed):
        for term in fed[name].terms:
            _project(net, made[term.source], made[name], term, plan, (term.source, name))
    return net


def written_dt(source: str | PathLike[str] | Any) -> Quantity | None:
    """The step that :func:`neuromorph.to_nir` wrote into a graph; None in graphs of other programs."""
    graph, _ = read_graph(source)
    return float(graph.options["dt"]) * second if "dt" in graph.options else None


def latency(population: Population) -> int:
    """Steps by which a population that :func:`from_nir` made is behind the graph's input."""
    neuron = population.neuron
    return int(dict(neuron.values).get("start", 0)) if isinstance(neuron, Neuron) else 0


def _refuse(title: str, problems: list[str]) -> None:
    if problems:
        raise CheckError(f"NIR graph {title}", problems)


def _neurons(
    graph: Graph, shapes: Mapping[str, Shape], wired: Wiring, options: Options, problems: list[str]
) -> dict[str, Neuron]:
    """The neuron of every node that becomes a population, with its parameters."""
    made: dict[str, Neuron] = {}
    for name, node in graph.nodes.items():
        signal = wired.signals.get(name)
        if node.type == "Input":
            made[name] = Input
            continue
        if signal is None:
            continue
        bias = _uniform(signal.constant)
        if node.type == "Output":
            alone = len(signal.terms) == 1 and signal.terms[0].identity and not np.any(bias)
            if not alone and signal.terms:
                made[name] = Sum(bias=bias)
        elif name in wired.relays:
            made[name] = Sum(bias=bias)
        else:
            try:
                values = _parameters(node, shapes[name], options)
            except NetworkError as error:
                problems.append(str(error))
            else:
                made[name] = model(node.type, options.reset, options.method)(**values, bias=bias)
    return made


def _parameters(node: Node, shape: Shape, options: Options) -> dict[str, Any]:
    values: dict[str, Any] = {}
    unit = options.time_unit
    for item in PARAMETERS[node.type]:
        name = item.rstrip("?")
        if item.endswith("?") and node.values.get(name) is None:
            values[name] = {"v_reset": 0.0, "w_in": 1.0}[name]
            continue
        given = node.numbers(name).astype(np.float64)
        if given.size not in (1, prod(shape)):
            raise NetworkError(f"{node}: {name} has shape {given.shape}, expected {shape}")
        if name == "v_leak" and options.method == "rockpool" and given.any():
            raise NetworkError(f"{node}: v_leak is not 0; neurons of Rockpool leak to 0, so give another method")
        value = _uniform(given.ravel())
        if name in TIMES:
            if not np.min(value) > 0:
                raise NetworkError(f"{node}: {name} is {np.min(value)}, expected a time above 0")
            if options.method == "euler" and 2 * np.min(value) * unit < options.dt:
                warnings.warn(
                    f"NIR graph: {node}: {name} is {np.min(value) * unit * second}, less than half a step of "
                    f"{options.dt * second}; forward Euler overshoots more in every step. Is it time_unit= that is "
                    "missing?",
                    stacklevel=4,
                )
            values[name] = value * unit * second
        elif name == "r" and node.type in ("I", "IF"):
            values[name] = value / unit * Hz
        else:
            values[name] = value
    return values


def _uniform(values: npt.NDArray[np.float64]) -> Any:
    """One number if all are the same."""
    return float(values[0]) if (values == values[0]).all() else values


def _sources(
    graph: Graph, shapes: Mapping[str, Shape], events: Events | Mapping[str, Events] | None
) -> dict[str, EventSource]:
    """Event sources by input node."""
    inputs = [name for name, node in graph.nodes.items() if node.type == "Input"]
    if events is None:
        return {}
    if not isinstance(events, Mapping):
        if len(inputs) != 1:
            raise NetworkError(f"from_nir: the graph has inputs {', '.join(inputs)}; give events as {{name: array}}")
        events = {inputs[0]: events}
    made = {}
    for name, item in events.items():
        if name not in inputs:
            raise NetworkError(f"from_nir: events for {name!r}; the graph has inputs {', '.join(inputs)}")
        size = prod(shapes[name])
        if isinstance(item, EventSource):
            found, made[name] = (item.size,), item
        else:
            array = np.asarray(item)
            found = array.shape[1:]
            if array.ndim >= 2 and prod(found) == size:
                made[name] = EventSource.from_dense(array.reshape(len(array), size))
        if prod(found) != size or name not in made:
            raise NetworkError(
                f"from_nir: events for {name} have shape {found} a step, expected {shapes[name]}", shape=found
            )
    return made


def _layout(shape: Shape, signal: Signal | None) -> Shape:
    """Shape of a population: that which a convolution makes, also where the graph flattens it after."""
    for term in signal.terms if signal is not None else ():
        after = term.links[-1].after if term.links else shape
        if len(after) > len(shape) and prod(after) == prod(shape):
            return after
    return shape


def _project(
    net: Network, pre: Population, post: Population, term: Term, plan: Schedule, ends: tuple[str, str]
) -> None:
    weight = None if term.factor == 1.0 else term.factor
    name = "+".join(term.through)
    taken = any(projection.name == name for projection in net.projections)
    rule = product(term.links, pre, post)
    net.project(
        pre, post, rule, weight=weight, delay=_delay(term, plan, ends), name=None if taken or not name else name
    )


def _delay(term: Term, plan: Schedule, ends: tuple[str, str]) -> Any:
    """Steps of a projection: as the graph delays it, and what the pipeline adds."""
    own: Any = term.delay_before
    if np.ndim(own):
        own = own[:, None]
    if term.delay_after is not None:
        own = own + term.delay_after
    if ends in plan.late:
        own = np.maximum(own, 1)
    steps = np.asarray(own + plan.latency[ends[1]] - plan.latency[ends[0]])
    if steps.min() < 1:
        warnings.warn(
            f"NIR graph: events from {ends[0]} to {ends[1]} close a loop over several populations and arrive "
            f"{1 - steps.min()} steps later than if all of them ran within one step",
            stacklevel=4,
        )
    steps = np.maximum(steps, 1)
    return int(steps) if steps.ndim == 0 else steps

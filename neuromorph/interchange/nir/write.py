"""From a network to a NIR graph."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from typing import Any

from neuromorph.errors import CheckError, NetworkError
from neuromorph.interchange.nir import nest
from neuromorph.interchange.nir.cells import Cell
from neuromorph.interchange.nir.currents import EXACT
from neuromorph.interchange.nir.draft import Draft, draw
from neuromorph.interchange.nir.equations import cell
from neuromorph.interchange.nir.file import OPTIONS
from neuromorph.interchange.nir.layers import Layer
from neuromorph.interchange.nir.options import Options, read_options
from neuromorph.language import Neuron
from neuromorph.network import EventsOf, Network
from neuromorph.units import Quantity


def to_nir(
    network: Network,
    path: str | PathLike[str] | None = None,
    *,
    dt: Quantity,
    inputs: Iterable[str] = (),
    outputs: Iterable[str] | None = None,
    reset: str = "zero",
    forward: str | None = None,
    time_unit: Quantity | None = None,
    nested: bool = False,
) -> Any:
    """Make a NIR graph of a network, and write it to a file if there is a path.

    Every population becomes a node with its name, every projection linear nodes with its name. Neurons are known by
    their equations (:mod:`neuromorph.interchange.nir.equations`), whatever they and their states are called. Sources
    of events become inputs; what they send, what is recorded and the network's seed are not part of a graph. Weights
    and parameters that are drawn are written as drawn. The graph's metadata hold the options, so that :func:`from_nir`
    reads it as it was meant.

    Parameters
    ----------
    network : Network
    path : path, optional
        Of the file to write, by habit with suffix ``.nir``.
    dt : Quantity
        The step that the network runs with, for its delays and for events that move a state at once.
    inputs : names of populations, optional
        Written as inputs of the graph, beside the sources: populations that nothing reaches, such as random ones.
    outputs : names of populations, optional
        Which are the graph's outputs; default: those that send to no other.
    reset : {"zero", "subtract", "snntorch", "snntorch_delay", "snntorch_delay_zero", "multiple"}
        What follows a spike. NIR can say "zero" alone, which resets to a value; readers have to be told of the others,
        so they have to be asked for.
    forward : {"same", "next"}, optional
        How a connection without a delay is meant to be read, see :func:`from_nir`. Default: "next", where one step is
        the shortest; "same" for networks that :func:`from_nir` made that way, and those whose neurons have several
        currents: these become nodes of their own, which act within a step.
    time_unit : Quantity, optional
        Unit of times in the file; default: a second.
    nested : bool
        Whether nodes called ``outer.inner``, as :func:`from_nir` calls those of nested graphs, become nested graphs
        where they have one way in and one way out.

    Returns
    -------
    nir.NIRGraph

    Raises
    ------
    CheckError
        If NIR cannot say something in the network: everything that it cannot is listed.
    NetworkError
        If an option is wrong, the nir package is not installed, or the file cannot be written.
    """
    nir = _package()
    given = read_options("to_nir", {}, dt, reset, None, forward or "next", time_unit)
    problems = [] if network.populations else ["it has no populations; add one with network.population(neuron, size)"]
    wanted = _names(network, "inputs", inputs, problems)
    cells = _cells(network, wanted, given, problems)
    if problems:
        raise CheckError(f"network {network.name} as a NIR graph", problems)
    late = any(found.start for found in cells.values())
    instant = late or any(found.currents for found in cells.values())
    options = _with_method(given, cells, forward or ("same" if instant else "next"))
    if options.forward == "next" and late:
        problems += [
            f"population {name}: it starts at step {found.start}, which NIR cannot say with forward='next'; leave "
            "forward out"
            for name, found in cells.items()
            if found.start
        ]
    ends = _outputs(network, cells, outputs, problems)
    draft = draw(network, cells, options, ends, problems)
    if problems:
        raise CheckError(f"network {network.name} as a NIR graph", problems)
    made = checked(nir, draft, {OPTIONS: options.metadata()}, nested)
    if path is not None:
        try:
            nir.write(path, made)
        except OSError as error:
            raise NetworkError(f"{path}: the graph cannot be written there: {error}") from error
    return made


def _package() -> Any:
    try:
        import nir
    except ModuleNotFoundError:
        raise NetworkError("to_nir: the nir package makes the graph, and is not there; pip install nir") from None
    if not hasattr(nir, "read_data"):
        raise NetworkError(
            f"to_nir: the nir package, version {nir.version}, knows no v_reset; pip install --upgrade 'nir>=1.0.8'"
        )
    return nir


def _names(network: Network, what: str, names: Iterable[str], problems: list[str]) -> list[str]:
    known = [p.name for p in network.populations]
    listed = list(names)
    problems += [
        f"{what}: the network has no population {name!r}; it has {', '.join(known)}"
        for name in listed
        if name not in known
    ]
    return listed


def _cells(network: Network, inputs: Sequence[str], options: Options, problems: list[str]) -> dict[str, Cell]:
    """Every population as NIR has it."""
    found: dict[str, Cell] = {}
    for population in network.populations:
        name = population.name
        if name in inputs:
            if any(j.post is population for j in network.projections):
                problems.append(f"inputs: projections reach population {name}, so it is no input")
            found[name] = Cell("Input")
        elif isinstance(population.neuron, EventsOf):
            problems.append(
                f"population {name}: further events of {population.neuron.population}; NIR's neurons send one kind"
            )
        elif not isinstance(population.neuron, Neuron):
            found[name] = Cell("Input")
        else:
            try:
                found[name] = cell(population, network.seed, options.dt)
            except NetworkError as error:
                problems.append(f"population {name} ({population.neuron.name}): {error}")
    problems += [
        f"{reading.subject}: in NIR, what neurons send is all that others see of them" for reading in network.readings
    ]
    problems += [
        f"population {name}: what follows a spike is {c.reset!r}; NIR says 'zero' alone, and the graph's readers apply "
        f"one rule to all of it: if that is the rule of every population, give reset={c.reset!r} and tell them"
        for name, c in found.items()
        if c.reset not in (None, options.reset)
    ]
    return found


def _with_method(given: Options, cells: Mapping[str, Cell], forward: str) -> Options:
    """The options with the neurons' method, if they share one; else, with a warning, that of the other programs."""
    integrated = [(name, c) for name, c in cells.items() if c.method is not None]
    differing = [(name, c) for name, c in integrated if c.kind not in ("I", "IF") or c.currents]
    methods: dict[str, list[str]] = {}
    for name, c in differing or integrated:  # integrators make the same steps by all of them
        methods.setdefault(str(c.method), []).append(name)
    if set(methods) <= set(EXACT):
        methods = dict(list(methods.items())[:1])
    if len(methods) > 1 and differing:
        told = "; ".join(f"{', '.join(names)} by {method!r}" for method, names in methods.items())
        warnings.warn(
            "to_nir: a graph's reader integrates all of it by one method, and these neurons are integrated by several: "
            f"{told}; the graph says {given.method!r}, by which the others do not make the same steps",
            stacklevel=3,
        )
    method = next(iter(methods)) if len(methods) == 1 else given.method
    return Options(given.dt, given.reset, method, forward, given.time_unit)


def _outputs(
    network: Network, cells: Mapping[str, Cell], names: Iterable[str] | None, problems: list[str]
) -> list[str]:
    if names is not None:
        return _names(network, "outputs", names, problems)
    sending = {j.pre.name for j in network.projections if j.post is not j.pre}
    silent = [name for name in cells if name not in sending]
    ends = [name for name in silent if cells[name].kind != "Input"] or silent
    if not ends:
        problems.append("every population sends to another, so none is seen to be an output; give outputs=")
    return ends


def checked(nir: Any, draft: Draft, metadata: dict[str, Any], nested: bool) -> Any:
    """The graph as an object of the nir package; a warning if the package finds fault with it."""

    def made(**options: Any) -> Any:
        nodes, edges = {name: _object(nir, node) for name, node in draft.nodes.items()}, list(draft.edges)
        if nested:
            nodes, edges = nest.nested(nir, nodes, edges)
        return nir.NIRGraph(nodes, edges, metadata, **options)

    try:
        return made()
    except (ValueError, NotImplementedError) as error:
        warnings.warn(
            f"the nir package, version {nir.version}, takes this graph with type_check=False alone: {error}",
            stacklevel=3,
        )
    return made(type_check=False)


def _object(nir: Any, node: Layer) -> Any:
    values = dict(node.values)
    if node.type in ("Input", "Output"):
        side = node.type.lower()
        return getattr(nir, node.type)(**{f"{side}_type": {side: values["shape"]}})
    if node.type == "Flatten":
        values["input_type"] = {"input": values["input_type"]}
    return getattr(nir, node.type)(**values)

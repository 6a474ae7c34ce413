"""Brian 2's synapses as projections.

What only adds constants to variables of neurons becomes plain projections, which every target runs. All else of a
Synapses object becomes one projection whose synapses are late: what Brian 2 does in the slot ``synapses`` of a step
happens at the end of ours, pathway by pathway, and what is added arrives at the start of the next step.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import LanguageError, NeuromorphError
from neuromorph.interchange.brian2.expressions import problem_of
from neuromorph.interchange.brian2.given import quantity
from neuromorph.interchange.brian2.moment import Operation
from neuromorph.interchange.brian2.samples import Sample, turn_of
from neuromorph.interchange.brian2.schedule import Position, Schedule
from neuromorph.interchange.brian2.synapses.code import Run, lines_of, target_of
from neuromorph.interchange.brian2.synapses.names import Constants, SynapseNames, sides_of
from neuromorph.interchange.brian2.synapses.ports import adding_at
from neuromorph.interchange.brian2.synapses.steps import regular
from neuromorph.language import Synapse
from neuromorph.units import TIME

if TYPE_CHECKING:
    from neuromorph.interchange.brian2.synapses.monitors import Watched

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Surroundings:
    """What synapses have to know of the network that they are in.

    Attributes
    ----------
    namespace : mapping
    schedule : Schedule
    moving : mapping of str to collection of str
        Variables of each group that change while the network runs.
    operations : mapping of str to tuple of Operation
        What acts on each group, but for synapses.
    events : mapping of str to tuple of str
        The events that leave each group: that of its population, and further ones.
    apart : collection of (group, variable)
        Variables that some pathway sets, so that it matters in which order pathways act.
    writers : tuple of (group, variable, Position, label)
        What pathways change of the groups.
    """

    namespace: Mapping[str, Any]
    schedule: Schedule
    moving: Mapping[str, Collection[str]]
    operations: Mapping[str, tuple[Operation, ...]]
    events: Mapping[str, tuple[str, ...]]
    apart: Collection[tuple[str, str]]
    writers: tuple[tuple[str, str, Position, str], ...]


@dataclass(frozen=True)
class Link:
    """A projection.

    Attributes
    ----------
    name : str
    source, target, port : str
        Names of the whole groups, and of the port; indices count from the groups' first neurons.
    pre, post : int array (synapses,)
    weights : Quantity or array, or None
        One, or (synapses,).
    delays : Quantity
        From sending to arriving, one, or (synapses,): a step longer than Brian 2's.
    synapse : Synapse or None
    further : mapping of str to Quantity
        Delays of the synapse's other paths.
    order : int array (synapses,), or None
        For synapses that change, number in Brian 2 of each.
    events : mapping of str to str
        Of the synapse's paths that follow further events of a group: the population of these.
    """

    name: str
    source: str
    target: str
    port: str
    pre: Array
    post: Array
    weights: Any
    delays: Any
    synapse: Synapse | None = None
    further: Mapping[str, Any] = field(default_factory=dict)
    order: Array | None = None
    events: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Taken:
    """What a Synapses object becomes.

    Attributes
    ----------
    links : tuple of Link
    arrivals : tuple of (group, Operation)
        What arrives does in each group.
    seen : frozenset of (group, variable)
        What synapses see in their turn of a step.
    settled : frozenset of (group, variable)
        What they see between two steps.
    kept : tuple of (group, Sample)
        What neurons keep for them.
    """

    links: tuple[Link, ...] = ()
    arrivals: tuple[tuple[str, Operation], ...] = ()
    seen: frozenset[tuple[str, str]] = frozenset()
    settled: frozenset[tuple[str, str]] = frozenset()
    kept: tuple[tuple[str, Sample], ...] = ()

    def operations(self, group: str) -> tuple[Operation, ...]:
        """What arrives does in a group; what arrives at one port, once."""
        found = {(op.position, op.label): op for name, op in self.arrivals if name == group}
        return tuple(found.values())

    def __or__(self, other: Taken) -> Taken:
        return Taken(
            self.links + other.links,
            self.arrivals + other.arrivals,
            self.seen | other.seen,
            self.settled | other.settled,
            self.kept + other.kept,
        )


@dataclass(frozen=True)
class Pathway:
    """A pathway of a Synapses object.

    Attributes
    ----------
    runner : brian2.SynapticPathway
    code : str
        With the update of what is event-driven.
    end : {"pre", "post"}
    delays : float array, shape () or (synapses,)
        From sending to arriving, in steps of ours: one longer than Brian 2's.
    position : Position
    sender : str
        The population whose events it follows.
    """

    runner: Any
    code: str
    end: str
    delays: Array
    position: Position
    sender: str

    @property
    def name(self) -> str:
        """What Brian 2 calls it."""
        return str(self.runner.objname)


def writes(synapses: Any, schedule: Schedule) -> list[tuple[str, str, Position, str, bool]]:
    """Group, variable, position, label, and whether it sets it, of all that synapses change of neurons.

    Code that cannot be read changes nothing; :func:`take` says so.
    """
    found = []
    sides = sides_of(synapses)
    for pathway in synapses._pathways:
        try:
            for line in lines_of(pathway.code):
                target = target_of(line.target, synapses, sides)
                if target is not None:
                    where = (sides[target[0]].group.name, target[1], schedule.position(pathway))
                    found.append((*where, f"{synapses.name} {pathway.objname}", not line.relative))
        except (NeuromorphError, SyntaxError):
            continue
    for name, updater in synapses.summed_updaters.items():
        suffix = "_pre" if name.endswith("_pre") else "_post"
        where = (sides[suffix].group.name, name.removesuffix(suffix), schedule.position(updater))
        found.append((*where, f"{synapses.name} {name}", False))
    return found


def unsettled(group: str, neuron: Any, found: Taken, operations: Iterable[Operation]) -> list[str]:
    """Variables whose value between two steps of Brian 2 is summed up, and a neuron does not have then.

    Parameters
    ----------
    operations : iterable of Operation
        All that act on the group.
    """
    problems = []
    for variable in sorted(v for g, v in found.settled if g == group) if neuron is not None else ():
        late = [o for o in operations if variable in o.writes and o.idle]
        others = [o.label for o in late if o.label != "reset"]
        written_out = bool(late) and neuron.state(variable).reset is None
        if others or written_out:
            why = f"{others[0]} changes at the end of a step" if others else "is reset in a step that is written out"
            problems.append(f"{group}: a summed variable reads {variable}, which {why}; its synapses see it too early")
    return problems


def take(synapses: Any, around: Surroundings, watched: Watched) -> tuple[Taken, list[str]]:
    """Everything that a Synapses object does, and what of it cannot be taken."""
    from neuromorph.interchange.brian2.synapses.model import model_of, summed_pre

    problems = _unknown_parts(synapses)
    taken = Taken()
    rest: list[Pathway] = []
    changing = changing_in(synapses) | watched.variables
    for runner in synapses._pathways:
        if not runner.active:
            continue
        try:
            pathway = _pathway(synapses, runner, around)
            constant = constant_links(synapses, pathway, changing, around)
            if constant is None:
                rest.append(pathway)
            else:
                taken |= Taken(tuple(constant[0]), tuple(constant[1]))
        except (NeuromorphError, SyntaxError) as error:
            problems.append(f"on_{runner.prepost} {runner.code!r}: {refusal(error)}")
    sums = any(name.endswith("_post") for name in synapses.summed_updaters)
    if not problems and (rest or sums or watched or synapses.state_updater is not None or regular(synapses)):
        model, found = model_of(synapses, rest, changing, around, watched.looks)
        used = {link.name for link in model.links}  # the synapses that change have the name alone
        plain = (replace(link, name=f"{link.name} pre") if link.name in used else link for link in taken.links)
        taken, problems = replace(taken, links=tuple(plain)) | model, problems + found
    turned, found = summed_pre(synapses, around, changing)
    return taken | turned, [f"{synapses.name}: {problem}" for problem in (*problems, *found)]


def refusal(error: Exception) -> str:
    """Why something cannot be taken."""
    return problem_of(error) if isinstance(error, NeuromorphError) else str(error)


def changing_in(synapses: Any) -> set[str]:
    """Variables of the synapses that change while the network runs."""
    equations = equations_of(synapses)
    found = {name for name, equation in equations.items() if equation.type == "differential equation"}
    codes = [str(pathway.code) for pathway in synapses._pathways]
    for code in (*codes, *(str(runner.abstract_code) for runner in regular(synapses))):
        try:
            found |= {line.target for line in lines_of(code)} & set(equations)
        except (NeuromorphError, SyntaxError):
            continue
    return found | ({"lastupdate"} if synapses.event_driven else set())


def equations_of(synapses: Any) -> dict[str, Any]:
    """Everything that the equations of synapses declare."""
    return {**dict(synapses.equations), **dict(synapses.event_driven or {})}


def _unknown_parts(synapses: Any) -> list[str]:
    known = (*synapses._pathways, *synapses.summed_updaters.values(), synapses.state_updater, *regular(synapses))
    return [
        f"{extra.name}: a {type(extra).__name__} has no counterpart in synapses"
        for extra in synapses.contained_objects
        if not any(extra is each for each in known) and getattr(extra, "active", True)
    ]


def _pathway(synapses: Any, runner: Any, around: Surroundings) -> Pathway:
    group = sides_of(synapses)[f"_{runner.prepost}"].group
    leaving = around.events[group.name]
    if runner.event not in leaving:
        raise LanguageError(f"it follows the event {runner.event} of {group.name}, whose condition nothing tests")
    position = around.schedule.position(runner)
    if position[0] <= max(around.schedule.slot("thresholds"), turn_of(group, around.schedule, leaving[0])[0]):
        raise LanguageError(f"it runs in the slot {runner.when!r} of a step, before the events of the step")
    runner.update_abstract_code(run_namespace=around.namespace)
    every = around.schedule.every(group)
    steps = np.floor(np.asarray(runner.variables["delay"].get_value(), np.float64) / float(group.clock.dt_) + 0.5)
    delays = one_if_equal(steps * every + 1)
    sender = sender_of(group.name, runner.event, leaving)
    return Pathway(runner, str(runner.abstract_code), runner.prepost, delays, position, sender)


def sender_of(group: str, event: str, leaving: tuple[str, ...]) -> str:
    """Name of the population that sends an event of a group.

    Parameters
    ----------
    leaving : tuple of str
        The events that leave the group.
    """
    return group if event == leaving[0] else f"{group} {event}"


def one_if_equal(values: Array) -> Array:
    """One value instead of many that are the same."""
    flat = np.asarray(values, np.float64).reshape(-1)
    return flat[0].reshape(()) if flat.size and np.all(flat == flat[0]) else flat


def time_of(steps: Array, around: Surroundings) -> Any:
    """Delays in steps as times."""
    length = around.schedule.dt
    return quantity(float(steps) * length if not steps.ndim else steps * length, TIME)


# --- what only adds constants -----------------------------------------------------------------------------------------
def constant_links(
    synapses: Any, pathway: Pathway, changing: Collection[str], around: Surroundings, suffix: str = ""
) -> tuple[list[Link], list[tuple[str, Operation]]] | None:
    """The projections of a pathway that only adds constants to variables of neurons; None if it does more.

    Parameters
    ----------
    suffix : str
        What their names end with.
    """
    lines, sides = lines_of(pathway.code), sides_of(synapses)
    targets = [None if line.target in changing else target_of(line.target, synapses, sides) for line in lines]
    if any(target is None for target in targets) or not all(line.relative for line in lines):
        return None
    constants = Constants(around.schedule.dt)
    names = SynapseNames(synapses, around.namespace, sides, changing, around.moving, constants)
    run = Run(synapses, names, sides, changing)
    try:
        run.run(lines)
        weights = {target: (value.dim, constants.evaluate(value)) for target, value in run.adds.items()}
    except LanguageError:
        return None
    if any(values is None for _, values in weights.values()):
        return None
    links, arrivals = [], []
    for k, (target, (dim, values)) in enumerate(weights.items(), 1):
        assert values is not None
        source, side = sides[f"_{pathway.end}"], sides[target[0]]
        label = f"{synapses.name} {pathway.name}"
        port, operation = adding_at(side.group, target[1], pathway.position, around.apart, label)
        name = (synapses.name if pathway.name == "pre" else label) + suffix
        name += f" {k}" if len(weights) > 1 else ""
        weight = one_if_equal(values)
        given = quantity(weight if weight.ndim else float(weight), dim)
        ends = (pathway.sender, side.group.name, port, source.index, side.index)
        links.append(Link(name, *ends, given, time_of(pathway.delays, around)))
        arrivals.append((side.group.name, operation))
    return links, arrivals


def order_in(synapses: Any) -> Array:
    """Number in Brian 2 of each synapse of the projection that a Synapses object becomes, where they change.

    Parameters
    ----------
    synapses : brian2.Synapses
        Connected, with its delays.

    Returns
    -------
    int64 array (synapses,)
        ``program.synapses(synapses.name)["w"]`` is ``synapses.w[:]`` in this order.
    """
    sides = sides_of(synapses)
    first = min((p for p in synapses._pathways if p.prepost == "pre"), key=_turn, default=None)
    delays = np.zeros(()) if first is None else np.asarray(first.variables["delay"].get_value(), np.float64)
    steps = np.zeros(()) if first is None else np.floor(delays / float(sides["_pre"].group.clock.dt_) + 0.5)
    return sorted_by(sides["_pre"].index, sides["_post"].index, one_if_equal(steps))


def _turn(pathway: Any) -> tuple[int, str]:
    return int(pathway.order), str(pathway.name)


def sorted_by(pre: Array, post: Array, delays: Array) -> Array:
    """Synapses by delay (longest first), source and target."""
    order: Array = np.lexsort((np.arange(len(pre)), post, pre, -np.broadcast_to(delays, pre.shape)))
    return order

"""A group whose whole step of Brian 2 is written out, operation after operation.

Brian 2's step is, unless a network has another schedule, start, groups, thresholds, synapses, resets, end. Events
leave a neuron of ours at the end of its step, and arrive at the start of one. So a step of ours begins after the
thresholds of a step of Brian 2 and ends with those of the next: what follows the thresholds there is the first thing
here, in terms of the event of the step before. Nothing is moved past anything else, so each variable goes through the
same values in the same order.

For a group of which the same can be said in equations, :mod:`~neuromorph.interchange.brian2.neuron` says it in
equations.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from neuromorph.interchange.brian2.expressions import said_of
from neuromorph.interchange.brian2.moment import Moment, Operation, fired
from neuromorph.interchange.brian2.names import GroupNames
from neuromorph.interchange.brian2.samples import Sample, keep
from neuromorph.interchange.brian2.schedule import Position
from neuromorph.interchange.brian2.synapses.ports import show
from neuromorph.language import Event, Expr, Neuron, make_neuron, step

LAST = (1 << 30, 0, "")


def stepwise(
    names: GroupNames,
    operations: Iterable[Operation],
    boundary: Position | None,
    event: str | None,
    every: int,
    samples: Sequence[Sample] = (),
    seen: Sequence[str] = (),
) -> Neuron:
    """A neuron that makes the step of a group.

    Parameters
    ----------
    names : GroupNames
    operations : iterable of Operation
    boundary : Position or None
        Of the threshold of the event that leaves the neuron; None: there is none.
    event : str or None
        That event.
    every : int
        Steps of ours in a step of the group.
    samples : sequence of Sample
        Values to keep for recording.
    seen : sequence of str
        Variables that synapses see in their turn.

    Raises
    ------
    LanguageError, UnitError
        For what cannot be said.
    """
    moment = Moment(names, float(names.group.clock.dt_), every)
    turn = LAST if boundary is None else boundary
    kept: dict[Sample, Expr] = {}
    moment.late = True
    order = sorted(
        [*operations, *(_look(s, kept) for s in samples if s.position is not None)], key=lambda o: o.position
    )
    for operation in (o for o in order if o.position > turn):
        _act(moment, operation)
    moment.late = False
    for sample in samples:
        if sample.position is None:
            moment.place = None
            kept[sample] = moment(sample.variable)
    for operation in (o for o in order if o.position <= turn):
        _act(moment, operation)
    for sample, value in kept.items():
        keep(names, sample, value)
    for name, value in moment.changed().items():
        names.state(name).next = value
    for name, value in moment.flags().items():
        names.flag(name).next = value
    if event is not None:
        names.own("spike", Event(when=names.flag(fired(event)) != 0))
    for variable in seen:
        show(names, variable)
    doc = f"From Brian 2's {names.group.name}."
    return make_neuron(names.group.name, names.symbols, doc=doc)(**names.values)


def _act(moment: Moment, operation: Operation) -> None:
    """Let an operation act if its clock ticks, and in the step before the first only what waits for events."""
    condition = moment.due_every(operation.every)
    if moment.late and not operation.idle:
        started = step > moment.names.began()
        condition = started if condition is None else condition & started
    moment.place = operation.position
    with said_of(operation.label):
        moment.only(condition, operation.run)


def _look(sample: Sample, kept: dict[Sample, Expr]) -> Operation:
    def run(moment: Moment) -> None:
        kept[sample] = moment(sample.variable)

    return Operation(sample.position or LAST, sample.name, run, idle=True)

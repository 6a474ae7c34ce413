"""Brian 2's synapses that change, or whose effect does, as a synapse model of ours."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import LanguageError, NeuromorphError
from neuromorph.interchange.brian2.expressions import expression, said_of
from neuromorph.interchange.brian2.given import dimension, quantity
from neuromorph.interchange.brian2.synapses.code import Run, Target, lines_of, target_of
from neuromorph.interchange.brian2.synapses.meanwhile import Change, Meanwhile, at_target, neurons_read, own_names
from neuromorph.interchange.brian2.synapses.monitors import Look
from neuromorph.interchange.brian2.synapses.names import Constants, Model, Side, SynapseNames, sides_of
from neuromorph.interchange.brian2.synapses.ports import adding_at, setting_at, summed_at
from neuromorph.interchange.brian2.synapses.projections import (
    Link,
    Pathway,
    Surroundings,
    Taken,
    constant_links,
    one_if_equal,
    refusal,
    sorted_by,
    time_of,
)
from neuromorph.interchange.brian2.synapses.steps import Steps
from neuromorph.language import Expr, Output, PostState, PreState, Synapse, Type, make_synapse, to_float, where
from neuromorph.language import Pathway as FurtherPath
from neuromorph.language.expr import as_expr, const
from neuromorph.language.synapse import PATHS, PathSpec

Array = npt.NDArray[Any]


def model_of(
    synapses: Any,
    pathways: Sequence[Pathway],
    changing: Collection[str],
    around: Surroundings,
    looks: Sequence[Look] = (),
) -> tuple[Taken, list[str]]:
    """The projection that does what plain ones cannot, and what keeps it from being one.

    Parameters
    ----------
    pathways : sequence of Pathway
        Those that do more than adding constants.
    changing : collection of str
        Variables of the synapses that change.
    looks : sequence of Look
        What is kept for monitors.
    """
    builder = _Builder(synapses, pathways, changing, around, looks)
    taken = builder.build()
    return taken, builder.problems


def summed_pre(synapses: Any, around: Surroundings, changing: Collection[str]) -> tuple[Taken, list[str]]:
    """Sums over the synapses of each source neuron: projections from the targets to the sources."""
    links, arrivals, settled, problems = [], [], set(), []
    for name, updater in synapses.summed_updaters.items():
        if not name.endswith("_pre"):
            continue
        sides = sides_of(synapses, flip=True)
        pre, post = sides["_post"], sides["_pre"]
        order = sorted_by(pre.index, post.index, np.zeros(()))
        symbols = _Unchanging(order)
        names = SynapseNames(synapses, around.namespace, sides, changing, around.moving, symbols)
        try:
            port, operation = summed_at(synapses.source, name.removesuffix("_pre"), around.schedule.position(updater))
            with said_of(f"{name} (summed)"):
                symbols.sum_up(port, partial(expression, str(updater.expression), names))
                synapse = symbols.synapse(f"{synapses.name}_{name}", [])
        except (NeuromorphError, SyntaxError) as error:
            problems.append(refusal(error))
            continue
        ends = (pre.group.name, post.group.name, port, pre.index, post.index)
        one = time_of(np.ones(()), around)
        links.append(Link(f"{synapses.name} {name}", *ends, None, one, synapse, order=order))
        arrivals.append((post.group.name, operation))
        settled |= symbols.settled
    return Taken(tuple(links), tuple(arrivals), settled=frozenset(settled)), problems


class _Symbols(Model):
    """Symbols of a model, and its outputs by port."""

    def __init__(self, order: Array) -> None:
        super().__init__(order)
        self._outputs: dict[str, Output] = {}

    def output(self, port: str) -> Output:
        """The output that adds to a port."""
        if port not in self._outputs:
            self._outputs[port] = self.own(f"to_{port}", Output(port))
        return self._outputs[port]

    def sum_up(self, port: str, value: Callable[[], Expr]) -> None:
        """Add an expression, which reads what is between two steps, to a port in every step."""
        self.between = True
        self.output(port).every = value()
        self.between = False

    def synapse(self, name: str, paths: Sequence[PathSpec]) -> Synapse:
        """The model, with paths in the order given."""
        made = make_synapse(name, self.symbols, doc="From Brian 2.", late=True)
        missing = [path for path in PATHS if path not in paths]
        return replace(made(**self.values), paths=(*paths, *missing))


class _Unchanging(_Symbols):
    """The same for synapses that another projection has: their variables cannot change here."""

    def variable(self, name: str, values: Array, dim: Any) -> Expr:
        """Refused."""
        raise LanguageError(f"it adds up {name}, which changes, over the synapses of a source; sums over targets may")


class _Builder:
    def __init__(
        self,
        synapses: Any,
        pathways: Sequence[Pathway],
        changing: Collection[str],
        around: Surroundings,
        looks: Sequence[Look],
    ) -> None:
        self.problems: list[str] = []
        self._synapses = synapses
        self._pathways = sorted(pathways, key=lambda p: p.position)
        self._changing = changing
        self._around = around
        self._sides = sides_of(synapses)
        first = next((p for p in self._pathways if p.end == "pre"), None)
        self._delays = np.ones(()) if first is None else first.delays
        self._order = sorted_by(self._sides["_pre"].index, self._sides["_post"].index, self._delays)
        self._symbols = _Symbols(self._order)
        self._names = SynapseNames(synapses, around.namespace, self._sides, changing, around.moving, self._symbols)
        self._looks = looks
        self._meanwhile = Meanwhile(self._names, self._sides, own_names(synapses))
        self._links: list[Link] = []
        self._arrivals: list[tuple[str, Any]] = []
        self._further: dict[str, Any] = {}
        self._events: dict[str, str] = {}

    def build(self) -> Taken:
        """The projection and what goes with it."""
        synapses, around = self._synapses, self._around
        paths: list[PathSpec] = []
        for pathway in self._pathways:
            self._attempt(f"on_{pathway.end} {pathway.runner.code!r}", lambda p=pathway: self._path(p, paths))
        self._attempt("equations", self._steps)
        if self.problems:
            return Taken()
        synapse = self._attempt("equations", lambda: self._symbols.synapse(synapses.name, paths))
        if synapse is None:
            return Taken()
        pre, post = self._sides["_pre"], self._sides["_post"]
        port = next((o.port for o in synapse.outputs), "")
        link = Link(
            synapses.name,
            *(pre.group.name, post.group.name, port, pre.index, post.index),
            None,
            time_of(self._delays, around),
            synapse,
            self._further,
            self._order,
            self._events,
        )
        return Taken(
            (link, *self._links),
            tuple(self._arrivals),
            frozenset(self._symbols.seen),
            frozenset(self._symbols.settled),
            tuple(self._symbols.kept),
        )

    def _attempt(self, what: str, work: Any) -> Any:
        try:
            return work()
        except (NeuromorphError, SyntaxError) as error:
            self.problems.append(f"{what}: {refusal(error)}" if what else refusal(error))
            return None

    # --- events -----------------------------------------------------------------------------------------------------
    def _path(self, pathway: Pathway, paths: list[PathSpec]) -> None:
        run = Run(self._synapses, self._meanwhile, self._sides, self._changing)
        before, self._symbols.seen = self._symbols.seen, set()
        run.run(lines_of(pathway.code))
        self._check_seen(pathway, self._symbols.seen, run)
        default = f"on_{pathway.end}"
        further = None
        if all(path.name != default for path in paths):
            paths.append(PathSpec(default, "pre" if pathway.end == "pre" else "post"))
        else:
            further = self._symbols.own(f"path_{pathway.name}", FurtherPath(pathway.end))
            paths.append(PathSpec(f"path_{pathway.name}", further.end))
        if pathway.sender != self._sides[f"_{pathway.end}"].group.name:
            self._events[paths[-1].name] = pathway.sender
        if further is not None or pathway.end == "post":
            delays = pathway.delays if not pathway.delays.ndim else pathway.delays[self._order]
            self._further[paths[-1].name] = time_of(delays, self._around)

        def give(symbol: Any, value: Expr) -> None:
            if further is None:
                setattr(symbol, default, value)
            else:
                further[symbol] = value

        for name, value in run.changed.items():
            self._names(name)
            give(self._symbols.state(name), value)
        for target, value in run.adds.items():
            if target[0] == "_pre":
                self._add_to_source(pathway, target[1])
                continue
            port, operation = adding_at(
                self._sides["_post"].group, target[1], pathway.position, self._around.apart, self._label(pathway)
            )
            give(self._symbols.output(port), value)
            self._arrivals.append((self._sides["_post"].group.name, operation))
        for target, value in run.sets.items():
            self._set(pathway, target, value, give)
        for target in (*run.adds, *run.sets):
            known = further is None and target in run.adds and target[0] == f"_{pathway.end}"
            added = partial(self._added, pathway, target) if known and not pathway.delays.ndim else None
            neurons = np.unique(self._sides[target[0]].index)
            self._meanwhile.changes.append(Change(self._label(pathway), target, neurons, added))
        self._symbols.seen |= before

    def _added(self, pathway: Pathway, target: Target) -> Expr:
        """What a pathway has added in this step to the neuron whose event it follows."""
        suffix, variable = target
        name, dim = f"{variable}{suffix}__added", dimension(self._sides[suffix].group.variables[variable].dim)
        if name not in self._symbols.symbols:
            each = self._constants(pathway, target)
            if each is None:
                raise LanguageError(
                    f"it reads {variable}{suffix}, to which {self._label(pathway)} adds what changes before it in the "
                    "same step"
                )
            side = self._sides[suffix]
            sums = np.bincount(side.index, np.broadcast_to(each, side.index.shape), int(side.group.N))
            sent = self._symbols.constant(f"{name}_each", sums, dim, side)
            made = self._symbols.own(name, (PreState if pathway.end == "pre" else PostState)(quantity(0.0, dim)))
            made.next = const(0.0, dim)
            setattr(made, f"on_{pathway.end}", sent + const(0.0, dim))
        return as_expr(self._symbols.symbols[name])

    def _label(self, pathway: Pathway) -> str:
        return f"{self._synapses.name} {pathway.name}"

    def _add_to_source(self, pathway: Pathway, variable: str) -> None:
        """Constants that are added to the source of synapses that change go their own way."""
        code = [line for line in pathway.runner.code.replace(";", "\n").splitlines() if f"{variable}_pre" in line]
        found = constant_links(
            self._synapses, replace(pathway, code="\n".join(code)), self._changing, self._around, f" {variable}_pre"
        )
        if found is None:
            raise LanguageError(
                f"it adds to {variable}_pre what changes in time; synapses add such to their targets only"
            )
        self._links += found[0]
        self._arrivals += found[1]

    def _set(self, pathway: Pathway, target: Target, value: Expr, give: Any) -> None:
        suffix, variable = target
        if suffix == "_pre":
            raise LanguageError(f"it sets {variable}_pre; synapses can set variables of their targets only")
        post = self._sides["_post"]
        given = self._same(pathway, target)
        if given is None:
            written = {name for group, name, _, _ in self._around.writers if group == post.group.name}
            lines = lines_of(pathway.code)
            given = at_target(lines, target, self._synapses, self._around.namespace, post, written)
        if given is None and len(np.unique(post.index)) < len(post.index):
            raise LanguageError(
                f"it sets {variable}_post, and some neuron of {post.group.name} has several synapses: which of them is "
                "the last of a step is not defined; add to the variable, or connect each neuron once"
            )
        port, number, operation = setting_at(post.group, variable, pathway.position, self._label(pathway), given)
        if given is None:
            give(self._symbols.output(port), where(value, 1.0, 0.0) if value.type is Type.BOOL else to_float(value))
        give(self._symbols.output(number), const(1.0))
        self._arrivals.append((post.group.name, operation))

    def _same(self, pathway: Pathway, target: Target) -> Callable[[Any], Expr] | None:
        """The value that a pathway sets a variable to, if it is the same for all synapses, always."""
        found = self._constants(pathway, target)
        if found is None or one_if_equal(found).ndim:
            return None
        dim = dimension(self._sides[target[0]].group.variables[target[1]].dim)
        same = as_expr(quantity(float(found.reshape(-1)[0]), dim))
        return lambda moment: same

    def _constants(self, pathway: Pathway, target: Target) -> Array | None:
        """What a pathway adds to a variable or sets it to, one or for each synapse, in SI units; None if it changes."""
        constants = Constants(self._around.schedule.dt)
        names = SynapseNames(
            self._synapses, self._around.namespace, self._sides, self._changing, self._around.moving, constants
        )
        run = Run(self._synapses, names, self._sides, self._changing)
        try:
            lines = lines_of(pathway.code)
            run.run(line for line in lines if target_of(line.target, self._synapses, self._sides) == target)
        except LanguageError:
            return None
        value = run.sets.get(target, run.adds.get(target))
        return None if value is None else constants.evaluate(value)

    def _check_seen(self, pathway: Pathway, seen: Collection[tuple[str, str]], run: Run) -> None:
        """Refuse to read what something else has changed in the same turn, which our views do not show yet."""
        start = self._around.schedule.slot("thresholds")
        for group, variable in sorted(seen):
            writers = [
                (operation.label, operation.position)
                for operation in self._around.operations.get(group, ())
                if variable in operation.writes and operation.position[0] > start
            ]
            writers += [
                (label, position)
                for name, other, position, label in self._around.writers
                if (name, other) == (group, variable) and label != self._label(pathway) and position[0] > start
            ]
            read = neurons_read(lines_of(pathway.code), self._sides, group, variable)
            earlier = [label for label, position in writers if position < pathway.position]
            earlier = [label for label in earlier if not self._meanwhile.shows(label, group, variable, read)]
            if earlier:
                raise LanguageError(
                    f"it reads {variable} of {group}, which {earlier[0]} changes before it in the same step"
                )
            own = [self._sides[suffix] for suffix, name in (*run.adds, *run.sets) if name == variable]
            own = [side for side in own if side.group.name == group and len(np.unique(side.index)) < len(side.index)]
            apart = read is not None and not any(
                np.intersect1d(neurons, side.index).size for neurons in read.values() for side in own
            )
            if own and not apart:
                raise LanguageError(
                    f"it reads {variable} of {group}, which it changes: where a neuron has several synapses, what "
                    "comes out depends on their order"
                )

    # --- between events -----------------------------------------------------------------------------------------------
    def _steps(self) -> None:
        synapses = self._synapses
        steps = Steps(synapses, self._names, self._sides, self._changing, self._symbols, self._around)
        self._attempt("", partial(steps.advance, self._looks))
        for name, updater in synapses.summed_updaters.items():
            if name.endswith("_post"):
                self._attempt(f"{name} (summed)", partial(self._sum, name, updater, steps))

    def _sum(self, name: str, updater: Any, steps: Steps) -> None:
        post: Side = self._sides["_post"]
        position = self._around.schedule.position(updater)
        port, operation = summed_at(self._synapses.target, name.removesuffix("_post"), position)
        self._symbols.sum_up(port, lambda: steps.seen_at(position, str(updater.expression)))
        self._arrivals.append((post.group.name, operation))

"""A network of neuromorph as a design: an operator for each population and each projection, stages for a choice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product as pairs

import numpy as np

from neuromorph.errors import MappingError
from neuromorph.language.expr import Type
from neuromorph.lowering.program import LoweredNetwork

from ...constants import load_constants
from ..design import Operator, Parallel, divisors
from ..graph import Loop, Memory, Run, StageGraph
from ..stages.layout import Layout, Numbers, Owner, Stream, loop
from ..stages.pieces import adapt, product
from .order import Order, order_of
from .work import Neurons, Product, depths, neurons_of, product_of

ONE = (0,)


@dataclass(frozen=True, eq=False)
class NetworkDesign:
    """A lowered network that can be laid out; an item is a step, or token.

    Attributes
    ----------
    name : str
    neurons : tuple of Neurons
        One for each population.
    products : tuple of Product
        One for each projection that has synapses.
    sizes : tuple of int
        Neurons of each population as they are laid out: silent ones fill up to a number with small divisors only, so
        that there is a choice of parallelism. A population that a convolution reaches keeps its size.
    order : Order
    value_bits : int
        Of the value of a graded event.
    given : mapping of operator to Parallel
        Operators that have no choice.
    pace : int
        Cycles from item to item that the network is known to need, however parallel it is; 0 if nothing is known.
    """

    name: str
    neurons: tuple[Neurons, ...]
    products: tuple[Product, ...]
    sizes: tuple[int, ...]
    order: Order
    value_bits: int
    given: Mapping[str, Parallel] = field(default_factory=dict)
    pace: int = 0

    @classmethod
    def of(cls, lowered: LoweredNetwork, value_bits: int | None = None) -> NetworkDesign:
        """The design of a network; values of events have the bits of its floats unless others are given."""
        bits = value_bits or (32 if lowered.dtype == "float32" else 64)
        made = []
        for synapses in lowered.projections:
            program = lowered.populations[synapses.post].program
            if synapses.count and program is not None:
                whole = program.ports[synapses.port].type is not Type.FLOAT
                made.append(product_of(synapses, lowered.dtype, whole))
        exact = {each.post for each in made if each.form == "window"}
        sizes = tuple(p.size if k in exact else smooth(p.size) for k, p in enumerate(lowered.populations))
        order = order_of(len(sizes), tuple(each.link for each in made))
        neurons = tuple(neurons_of(population, bits) for population in lowered.populations)
        return cls(lowered.name, neurons, tuple(made), sizes, order, bits)

    @cached_property
    def names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Operators of the populations and of the products; one that has the name of another gets a dash."""
        taken: set[str] = set()

        def own(name: str) -> str:
            while name in taken:
                name += "'"
            taken.add(name)
            return name

        return tuple(own(each.name) for each in self.neurons), tuple(own(each.name) for each in self.products)

    @cached_property
    def operators(self) -> Sequence[Operator]:
        """Populations, then products."""
        own, of_products = self.names
        sums = [32] * len(self.neurons)
        for each in self.products:
            sums[each.post] = each.sum_bits
        found = [
            Operator(
                own[k],
                "events" if each.source else "neurons",
                1,
                self.sizes[k],
                1,
                input_bits=each.event_bits if each.source else sums[k],
                output_bits=each.event_bits,
                block=own[k],
                additions=each.additions,
                multiplications=each.multiplications,
                divisions=each.divisions,
            )
            for k, each in enumerate(self.neurons)
        ]
        return tuple(found) + tuple(
            Operator(
                of_products[k],
                "matmul",
                each.tokens,
                self.sizes[each.pre] if each.form == "dense" else smooth(each.inputs),
                self.sizes[each.post] if each.form != "window" else each.outputs,
                copies=each.copies,
                input_bits=self.neurons[each.pre].event_bits,
                weight_bits=each.weight_bits,
                output_bits=each.sum_bits,
                block=own[each.post],
            )
            for k, each in enumerate(self.products)
        )

    @cached_property
    def operator(self) -> Mapping[str, Operator]:
        """Operators by name."""
        return {operator.name: operator for operator in self.operators}

    @cached_property
    def looped(self) -> frozenset[str]:
        """Operators that lie on a loop."""
        inside = [k for k, each in enumerate(self.products) if not self.order.ahead(each.link)]
        ends = {end for k in inside for end in (self.products[k].pre, self.products[k].post)}
        return frozenset([*(self.names[1][k] for k in inside), *(self.names[0][k] for k in ends)])

    def choices(self, operator: Operator) -> Sequence[Parallel]:
        """Whatever divides the operator's shape; what was given, where something was."""
        if operator.name in self.given:
            return [self.given[operator.name]]
        if operator.kind != "matmul":
            return [Parallel(inputs=n) for n in divisors(operator.inputs)]
        shape = divisors(operator.tokens), divisors(operator.inputs), divisors(operator.outputs)
        return [Parallel(*each) for each in pairs(*shape)]

    def graph(self, parallel: Mapping[str, Parallel], depths: Mapping[str, int] | None = None) -> StageGraph:
        """Stages and FIFOs: an operator's stages have its name.

        Raises
        ------
        MappingError
            An operator has no parallelism, or one that does not divide its shape.
        """
        self.check(parallel)
        layout = Layout(Numbers(load_constants("hgpipe_stages")))
        own, of_products = self.names
        waiting: dict[str, int] = {}
        whole: dict[str, int] = {}
        items = self.room(parallel)
        arriving: list[list[str]] = [[] for _ in self.neurons]
        leaving: list[list[str]] = [[] for _ in self.neurons]
        for k, each in enumerate(self.products):
            link = each.link
            lanes = parallel[own[each.pre]].inputs
            events = Stream(
                f"{of_products[k]}.events", 1, self.sizes[each.pre], 1, lanes, self.neurons[each.pre].event_bits
            )
            waiting[events.name] = self.order.kept(link) * events.tokens
            room = items[k] * events.tokens
            layout.stream(events, waiting[events.name] + max(2, room))
            if each.form != "dense":  # any event can be the first that is asked for
                whole[events.name] = events.tokens
            leaving[each.pre].append(events.name)
            sums = self._product(layout, k, parallel, events)
            arriving[each.post].append(sums.name)
        for k in range(len(self.neurons)):
            self._population(layout, k, parallel[own[k]].inputs, arriving[k], leaving[k])
        made = layout.graph(self.name)
        fifos = (replace(f, initial=waiting.get(f.name, 0), grain=whole.get(f.name, 1)) for f in made.fifos)
        made = replace(made, fifos=tuple(fifos))
        return made.with_depths(depths) if depths else made

    def arrivals(self, parallel: Mapping[str, Parallel]) -> tuple[int, ...]:
        """Cycles until each group of populations has done its first item, if operators took theirs one by one."""
        trips = {each.name: each.trips(parallel[each.name]) for each in self.operators}
        own, of_products = self.names
        ends = [0] * len(self.order.groups)
        for number, group in enumerate(self.order.groups):
            ways = [
                ends[self.order.group_of[each.pre]] + trips[of_products[k]] + depths_of("gather")
                for k, each in enumerate(self.products)
                if self.order.group_of[each.post] == number and self.order.ahead(each.link)
            ]
            ends[number] = max(ways, default=0) + max(trips[own[k]] + self.neurons[k].depth for k in group)
        return tuple(ends)

    def room(self, parallel: Mapping[str, Parallel]) -> list[int]:
        """Items of room that the events of each product need, so that its way does not hold up longer ones.

        Two, of which one is read while the other comes, and as many as come in while an item is on the longest way.
        """
        pace = max([self.pace, *(each.trips(parallel[each.name]) for each in self.operators)])
        ends, group_of = self.arrivals(parallel), self.order.group_of
        apart = (ends[group_of[each.post]] - ends[group_of[each.pre]] for each in self.products)
        return [_items() + -(-cycles // pace) for cycles in apart]

    def fixed(self, given: Mapping[str, Parallel]) -> NetworkDesign:
        """The same with operators that have no choice any more.

        Raises
        ------
        MappingError
            There is no such operator, or its shape does not allow that.
        """
        self._check_given(given)
        return replace(self, given=dict(given))

    def check(self, parallel: Mapping[str, Parallel]) -> None:
        """Refuse parallelism that does not fit, or is not there.

        Raises
        ------
        MappingError
        """
        self._check_given(parallel)
        for operator in self.operators:
            if operator.name not in parallel:
                raise MappingError(f"pipeline {self.name!r}: no parallelism of {operator.name!r}", name=operator.name)

    def _check_given(self, parallel: Mapping[str, Parallel]) -> None:
        for name, given in parallel.items():
            if name not in self.operator:
                raise MappingError(
                    f"pipeline {self.name!r} has no operator {name!r}; it has {', '.join(self.operator)}", name=name
                )
            if not isinstance(given, Parallel):
                raise MappingError(
                    f"operator {name!r}: {given!r:.80} is no parallelism; give Parallel(tokens, inputs, outputs)",
                    name=name,
                )
            operator = self.operator[name]
            columns = operator.outputs if operator.kind == "matmul" else 1
            shape = operator.tokens, operator.inputs, columns
            chosen = given.tokens, given.inputs, given.outputs
            if not all(_divides(part, whole) for whole, part in zip(shape, chosen, strict=True)):
                raise MappingError(
                    f"operator {operator.name!r}: {chosen} tokens, inputs and outputs in a cycle; each must divide "
                    f"its part of {shape}",
                    name=operator.name,
                )

    def _product(self, layout: Layout, k: int, parallel: Mapping[str, Parallel], events: Stream) -> Stream:
        """Stages of a projection, from words of events to sums for the lanes of the neurons."""
        each, name = self.products[k], self.names[1][k]
        operator, chosen = self.operator[name], parallel[name]
        lanes = parallel[self.names[0][each.post]].inputs
        room = max(2, self.sizes[each.post] // lanes)
        memories = [_banked(memory, operator.copies * chosen.inputs * chosen.outputs) for memory in each.memories]
        if each.form == "dense":
            words = operator.inputs // chosen.inputs  # all of them at once, since outputs go over them again and again
            return product(
                layout,
                operator,
                chosen,
                events,
                f"{name}.lanes",
                lanes,
                prefix=name,
                adapted=max(2, words),
                depth=room,
                memories=memories,
            )
        width = operator.copies * chosen.tokens * chosen.outputs
        sums = layout.stream(Stream(f"{name}.sums", 1, self.sizes[each.post], 1, width, each.sum_bits))
        stored = Memory("events", self.sizes[each.pre], events.bits, chosen.tokens * chosen.inputs)
        layout.stage(
            f"{name}.gather",
            "gather",
            _gathering(events.tokens, operator.inputs // chosen.inputs, sums.tokens),
            [events.name],
            [sums.name],
            Owner.of(operator),
            multipliers=operator.multipliers(chosen),
            products=operator.products,
            memories=(stored, *memories),
        )
        return adapt(layout, sums, lanes, f"{name}.lanes", f"{name}.out", Owner.of(operator), depth=room)

    def _population(self, layout: Layout, k: int, lanes: int, arriving: Sequence[str], leaving: Sequence[str]) -> None:
        each, name = self.neurons[k], self.names[0][k]
        inputs, outputs = list(arriving), list(leaving)
        if each.source:
            inputs = [layout.fifo(f"{name}.in", lanes * each.event_bits)]
        if not any(product.pre == k and self.order.ahead(product.link) for product in self.products):
            outputs += [layout.fifo(f"{name}.out", lanes * each.event_bits)]
        run = Run(self.sizes[k] // lanes, tuple(range(len(inputs))), tuple(range(len(outputs))))
        layout.stage(
            name,
            "events" if each.source else "neurons",
            [Loop((run,), depth=each.depth)],
            inputs,
            outputs,
            Owner(name, name),
            multipliers=lanes * each.multiplications,
            products=each.size * each.multiplications,
            memories=[replace(memory, banks=lanes) for memory in each.memories],
        )


def _gathering(reads: int, steps: int, writes: int) -> list[Loop]:
    """Loops that take in ``reads`` words in their first iterations, and write after every ``steps`` of them."""
    depth = depths_of("gather")
    full = min(reads // steps, writes)
    loops = [loop(Run(steps - 1, ONE), Run(1, ONE, ONE), repeats=full, depth=depth)] if full else []
    some = reads - full * steps
    if full < writes:
        first = Run(some, ONE), Run(steps - 1 - some), Run(1, (), ONE)
        loops.append(loop(*first, depth=depth))
        if rest := writes - full - 1:
            loops.append(loop(Run(steps - 1), Run(1, (), ONE), repeats=rest, depth=depth))
    elif some:
        loops.append(loop(Run(some, ONE), depth=depth))
    return loops


def depths_of(kind: str) -> int:
    """Cycles of the pipeline of a kind of stage that only networks have."""
    return depths().count(f"stage.{kind}")


def _items() -> int:
    return depths().count("buffer.items")


def _banked(memory: Memory, lanes: int) -> Memory:
    """A memory that gives every multiplier a word in every cycle; of SPARK's codes, as many bits as the longest."""
    longest = 9 if memory.bits == 1 else 1
    return replace(memory, banks=lanes * longest)


def _divides(part: object, whole: int) -> bool:
    return isinstance(part, int | np.integer) and int(part) > 0 and whole % int(part) == 0


def smooth(size: int) -> int:
    """The least number that is not below and has no prime factor above 7."""
    while True:
        rest = size
        for factor in (2, 3, 5, 7):
            while rest % factor == 0:
                rest //= factor
        if rest == 1:
            return size
        size += 1

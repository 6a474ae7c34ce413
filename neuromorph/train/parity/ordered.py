"""A module, evaluated so that it gives every event and value of the engines bit for bit."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace

import torch
from torch import Tensor, nn

from neuromorph.errors import NetworkError
from neuromorph.lowering.network import lower
from neuromorph.lowering.program import Float
from neuromorph.network.quantise import Weights
from neuromorph.train.modules.mode import evaluated
from neuromorph.train.modules.module import Module
from neuromorph.train.modules.outputs import Output, Outputs
from neuromorph.train.modules.sequence import Call, Parts
from neuromorph.train.modules.sources import SourceRows
from neuromorph.train.modules.state import State
from neuromorph.train.parity.ordered_network import Carried, OrderedNetwork, Sequences

DTYPES: dict[torch.dtype, Float] = {torch.float32: "float32", torch.float64: "float64"}


class Ordered(nn.Module):
    """What a module gives in ``eval`` mode without gradients, with the engines' order of sums and rounding.

    Products of matrices add in an order of their own, so in float32 a module's values may differ from those of a target
    in the last bits. Here every sum is taken in the order in which the engines take it, and every elementary function
    by their operations: events, values and states are those of ``CPU()`` and of SpiNNaker2, bit for bit. It is called
    as the module is, on the CPU, and takes and gives the same kind of state.

    Parameters
    ----------
    module : Module
        Its present parameters are taken.
    weights : {"int4", "int8", "int16", "spark", "spark-nearest"} or mapping, optional
        Narrow weights as ``CPU(weights="int8")`` and the others do.
    outputs : Outputs, optional
        What to return; default: what the module returns.

    Attributes
    ----------
    lags : dict of str to int
        Those of the module.
    """

    def __init__(self, module: Module, weights: Weights = None, outputs: Outputs | None = None) -> None:
        super().__init__()
        if not isinstance(module, Module):
            raise NetworkError(f"Ordered: expected a train.Module, got {type(module).__name__}")
        self.lags = dict(module.lags)
        parts = module.parts()
        values = [deepcopy(each).cpu() if isinstance(each, SourceRows) else each for each in parts.values]
        self._parts = replace(parts, values=values, outputs=outputs or parts.outputs)
        self._seed, self._given = module.seed, module.given
        network = module.network()
        network.recordings = ()
        for output in self._parts.outputs.each:
            if output.what not in ("events", "fired"):
                network.record(network[output.population], output.what)
        lowered = lower(network, module.dt, DTYPES[self._parts.dtype], weights)
        self._network = OrderedNetwork(lowered, self.lags)

    def forward(
        self,
        x: Tensor | Mapping[str, Tensor] | None = None,
        state: State | None = None,
        *,
        steps: int | None = None,
        batch: int | None = None,
    ) -> tuple[dict[str, Tensor], State]:
        """Run a sequence; see :meth:`Module.forward`."""
        call = Call(self._parts, self._given(x), state, steps, batch, self._seed, torch.device("cpu"))
        with torch.no_grad():
            sources = [values for values in self._parts.values if isinstance(values, SourceRows)]
            rows = {each.name: call.events(each) for each in sources}
            done, after = self._network.run(rows, call.steps, call.batch, None if state is None else _taken(state))
            _require_plain(self._parts, done)
        outputs = {output.name: self._output(output, done) for output in self._parts.outputs.each}
        return outputs, self._state(after, call.batch)

    def _output(self, output: Output, done: Sequences) -> Tensor:
        if output.what == "events":
            return done.values[output.population]
        if output.what == "fired":
            return done.fired[output.population].to(self._parts.dtype)
        return done.seen[output.population, output.what]

    def _state(self, after: Carried, batch: int) -> State:
        """The state in the module's form."""
        sent, emitted = self._parts.reach
        populations = self._parts.network.populations
        ends = {p.name: after.values[p.name] for p in populations}
        cells = {name: tuple(states) for name, states in after.states.items()}
        return State(
            after.clock,
            cells,
            self._network.initial(batch),
            {
                p.name: _last(ends[p.name], count)
                for p, count in zip(populations, emitted, strict=True)
                if p.name in cells
            },
            {p.name: _last(ends[p.name], count) for p, count in zip(populations, sent, strict=True)},
        )


def _last(rows: Tensor, count: int) -> Tensor:
    return rows[len(rows) - count :]


def _taken(state: State) -> Carried:
    """A module's state in the form of :class:`OrderedNetwork`."""
    rows = {name: max(sent, state.emitted.get(name, sent), key=len) for name, sent in state.sent.items()}
    return Carried(state.step, state.cells, {name: events != 0 for name, events in rows.items()}, rows)


def _require_plain(parts: Parts, done: Sequences) -> None:
    """What stands after a population must let its events pass as they are: targets know nothing of it."""
    for index, transform in parts.after.items():
        name = parts.network.populations[index].name
        with evaluated(transform):
            changed = not torch.equal(transform(done.values[name]), done.values[name])
        if changed:
            raise NetworkError(
                f"module: what stands after population {name} ({type(transform).__name__}) changes its events in eval "
                "mode, and no target does that; take it out, or make it a projection",
                name=name,
            )

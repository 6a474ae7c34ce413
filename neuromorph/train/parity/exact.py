"""Step programs in PyTorch, operation by operation, each rounded as the engines round it.

Every primitive of :mod:`neuromorph.lowering.program` becomes one operation of PyTorch on whole tensors, or a few on
their bits, none of which rounds differently on the CPU from NumPy: no fused multiply-add, no reciprocals in place of
divisions and no elementary functions of a library. There are no gradients here.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neuromorph import random
from neuromorph.language.expr import Type
from neuromorph.lowering.program import LoweredPopulation, Op, StepProgram
from neuromorph.train.modules.noise import sample_seed
from neuromorph.train.printing import runtime
from neuromorph.train.printing.expressions import INFIX

DTYPES = {"float32": torch.float32, "float64": torch.float64}
"""PyTorch's name of each float width."""


@dataclass(frozen=True)
class Advanced:
    """What one step of a population gives.

    Attributes
    ----------
    states : list of Tensor (batch, n)
        After the reset; ints are int64 that fit 32 bits.
    fired : Tensor of bool, or None
        Broadcasts to (batch, n); None: the neuron has no event.
    value : Tensor, or None
        Of each event; None: 1.
    named : dict of str to Tensor
        States and named intermediates of the program, broadcasting to (batch, n).
    """

    states: list[Tensor]
    fired: Tensor | None
    value: Tensor | None
    named: dict[str, Tensor]


class ExactPopulation:
    """The step program of a population as a function of tensors.

    Parameters
    ----------
    lowered : LoweredPopulation
        With a program.
    seed : int
        Of the network's noise; each sample of a batch has its own, see
        :func:`~neuromorph.train.modules.noise.sample_seed`.
    """

    def __init__(self, lowered: LoweredPopulation, seed: int) -> None:
        program = lowered.program
        assert program is not None
        self.lowered, self.seed = lowered, seed
        self.float = DTYPES[program.dtype]
        self._ids = lowered.first_id + np.arange(lowered.size)
        self._params = [self._tensor(values) for values in lowered.param_values]
        self._whole = [slot.type is Type.INT for slot in program.states]
        self.states = tuple(slot.name for slot in program.states)
        self.observables = tuple(name for name, _ in program.observables)
        self._function, self.source = print_program(program)

    def _tensor(self, values: np.ndarray[Any, Any]) -> Tensor:
        made = torch.from_numpy(np.array(values))
        return made.to(self.float) if made.is_floating_point() else made

    def initial(self, batch: int) -> list[Tensor]:
        """States before the first step, (batch, n) each."""
        return [self._tensor(v).expand(batch, self.lowered.size).contiguous() for v in self.lowered.state_init]

    def advance(self, states: Sequence[Tensor], ports: Sequence[Tensor], step: int) -> Advanced:
        """One step.

        Parameters
        ----------
        states : sequence of Tensor (batch, n)
        ports : sequence of Tensor (batch, n)
            Sums that arrive, in the order of the program's ports.
        step : int
            Of the engine.
        """
        shape = (len(states[0]) if states else len(ports[0]), self.lowered.size)
        noise = _Noise(tuple(sample_seed(self.seed, k) for k in range(shape[0])), self._ids, step)
        new, fired, value, observed = self._function(states, self._params, ports, step, noise)
        kept = [(runtime.wrap(s) if whole else s).expand(shape) for s, whole in zip(new, self._whole, strict=True)]
        named = dict(zip(self.states, kept, strict=True)) | dict(zip(self.observables, observed, strict=True))
        return Advanced(kept, fired, value, named)

    def recorded(self) -> list[tuple[str, torch.dtype]]:
        """States and named intermediates that the population records, and their types."""
        program = self.lowered.program
        assert program is not None
        types = {slot.name: slot.type for slot in program.states}
        types |= {name: program.ops[k].type for name, k in program.observables}
        return [
            (name, self.float if types[name] is Type.FLOAT else torch.int64) for name, _ in self.lowered.record_states
        ]


@dataclass(frozen=True)
class _Noise:
    """Random numbers of all samples in one step, drawn by the engines' own definition."""

    seeds: tuple[int, ...]
    ids: np.ndarray[Any, Any]
    step: int

    def bits(self, word: int) -> Tensor:
        """32 bits for each neuron: int64 (batch, n)."""
        return torch.from_numpy(np.stack([random.bits(seed, self.ids, self.step, word) for seed in self.seeds]))

    def poisson(self, word: int, mean: Tensor) -> Tensor:
        """Counts of a mean: int64 (batch, n)."""
        means = np.broadcast_to(mean.numpy(), (len(self.seeds), len(self.ids)))
        rows = zip(self.seeds, means, strict=True)
        return torch.from_numpy(np.stack([random.poisson(seed, self.ids, self.step, word, m) for seed, m in rows]))


def print_program(program: StepProgram) -> tuple[Callable[..., Any], str]:
    """A function (states, params, ports, step, noise) -> (new states, fired, value, observables), and its text.

    ``noise.bits(word)`` and ``noise.poisson(word, mean)`` give random ints for each neuron.
    """
    names: dict[str, Any] = {"torch": torch, "sqrt": _sqrt} | {name: getattr(runtime, name) for name in runtime.__all__}
    lines = []
    for number, op in enumerate(program.ops):
        if op.code == "const":
            names[f"c{number}"] = torch.tensor(op.payload, dtype=_dtype(op.type, program))
        else:
            lines.append(f"    v{number} = {_printed(program, op)}")
    told = [_name(program, k) for k in program.new_states]
    fired, value = (None if k is None else _name(program, k) for k in (program.fired, program.value))
    observed = [_name(program, k) for _, k in program.observables]
    lines.append(f"    return [{', '.join(told)}], {fired}, {value}, ({''.join(name + ', ' for name in observed)})")
    source = "\n".join(["def advance(states, params, ports, step, noise):", *lines]) + "\n"
    file = f"<step program {hash(source):x}>"
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)  # tracebacks then show the lines
    exec(compile(source, file, "exec"), names)
    return names["advance"], source


def _sqrt(x: Tensor) -> Tensor:
    """The square root rounded to nearest; PyTorch's own comes from a library that is off by a bit at times."""
    with np.errstate(invalid="ignore"):
        return torch.from_numpy(np.asarray(np.sqrt(x.numpy())))


def _dtype(kind: Type, program: StepProgram) -> torch.dtype:
    return {Type.FLOAT: DTYPES[program.dtype], Type.INT: torch.int64, Type.BOOL: torch.bool}[kind]


def _name(program: StepProgram, number: int) -> str:
    return f"{'c' if program.ops[number].code == 'const' else 'v'}{number}"


def _printed(program: StepProgram, op: Op) -> str:
    args = [_name(program, a) for a in op.args]
    match op.code:
        case "state" | "param" | "port":
            return f"{op.code}s[{op.payload}]"
        case "step":
            return "torch.tensor(step)"
        case "random":
            return f"noise.bits({op.payload})"
        case "poisson":
            return f"noise.poisson({op.payload}, {args[0]})"
        case "to_float" | "exp2i":
            return f"{op.code}({args[0]}, torch.{program.dtype})"
    if op.code in INFIX:
        return f"{args[0]} {INFIX[op.code]} {args[1]}"
    return _FORMS[op.code].format(*args)


_FORMS = {
    "neg": "-{0}",
    "abs": "torch.abs({0})",
    "min": "torch.where({0} < {1}, {0}, {1})",
    "max": "torch.where({0} > {1}, {0}, {1})",
    "sqrt": "sqrt({0})",
    "floor": "torch.floor({0})",
    "rint": "torch.round({0})",
    "trunc": "torch.trunc({0})",
    "exponent": "exponent({0})",
    "mantissa": "mantissa({0})",
    "to_int": "to_int({0})",
    "truncdiv": "truncdiv({0}, {1})",
    "not": "~{0}",
    "select": "torch.where({0}, {1}, {2})",
}
"""How primitives without a sign are written; operands are always tensors, so that PyTorch turns none into another."""

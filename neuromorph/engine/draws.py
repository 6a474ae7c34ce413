"""Prints how a population's kernel draws: chunk by chunk into scratch arrays, which the loop over the chunk then reads.

Numbers are made for whole groups of 64 neurons by the vector loops of :mod:`neuromorph.random_kernels`; a chunk reads
them at an offset, so that it may begin anywhere. The samples of a batch share the words of their neuron.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from neuromorph.lowering.program import StepProgram
from neuromorph.random import POISSON_TABLE

CHUNK = 512
"""Elements whose numbers are made at a time: few enough to stay in the innermost cache."""
GROUP = 64


class Draws:
    """The random ops of one kernel.

    Parameters
    ----------
    program : StepProgram
    used, shared : set of int
        Ops that the kernel needs; those that have one value for all neurons.
    lanes : int
        Elements of a neuron.
    """

    def __init__(self, program: StepProgram, used: set[int], shared: frozenset[int], lanes: int) -> None:
        self.program = program
        self.lanes = lanes
        ops = {k: program.ops[k] for k in sorted(used)}
        self.words = [k for k, op in ops.items() if op.code == "random"]
        self.shared = [k for k, op in ops.items() if op.code == "poisson" and op.args[0] in shared]
        self.own = [k for k, op in ops.items() if op.code == "poisson" and op.args[0] not in shared]
        self.chunk = max(CHUNK, GROUP * lanes)
        self.neurons = self.chunk // lanes + GROUP  # room for a chunk that begins within a group

    def __bool__(self) -> bool:
        return bool(self.words or self.shared or self.own)

    @property
    def imports(self) -> list[str]:
        """Functions of :mod:`neuromorph.random_kernels` that the kernel calls."""
        names = {"random_words": self.words, "poisson_shared": self.shared, "poisson_own": self.own}
        return [name for name, ops in names.items() if ops]

    def load(self, number: int) -> str:
        """A drawn number of element i."""
        return f"np.int64(drawn{number}[at + i])"

    def scratch(self) -> list[str]:
        """Lines that make the scratch arrays, on the stack: ``x`` is the array at the address ``at_x``."""
        elements = self.neurons if self.lanes == 1 else self.chunk
        arrays = [(f"drawn{k}", "uint32", elements) for k in self.words]
        arrays += [(f"drawn{k}", "int32", elements) for k in (*self.shared, *self.own)]
        arrays.append(("words", "uint32", self.neurons))
        if self.lanes > 1:
            arrays.append(("counts_", "int32", self.neurons))
        if self.shared:
            arrays += [("more", "uint32", self.neurons), ("table", "uint32", POISSON_TABLE)]
        if self.own:
            arrays += [(name, "float64", self.neurons) for name in ("means", "p", "below")]
            arrays.append(("parts", "int32", self.neurons))
            if self.lanes > 1:
                arrays.append(("wanted", "float64", self.chunk))
        lines = []
        for name, kind, length in arrays:
            lines.append(f"at_{name} = stack({length * np.dtype(kind).itemsize})")
            lines.append(f"{name} = carray(pointer(at_{name}), {length}, np.{kind})")
        return lines

    def chunks(self, loop: Sequence[str], values: Callable[[int], list[str]]) -> list[str]:
        """Lines that draw for each chunk of [lo, hi) and run a loop over it.

        Parameters
        ----------
        loop : sequence of str
            Lines for each element ``i``.
        values : callable
            Lines that compute an op of element ``i``.
        """
        lanes = "" if self.lanes == 1 else f" // np.uint64({self.lanes})"
        lines = [
            f"neuron = first_id + begin{lanes}",
            "group = neuron >> np.uint64(6)",
            f"groups = ((first_id + (end - np.uint64(1)){lanes}) >> np.uint64(6)) - group + np.uint64(1)",
            "shift = neuron & np.uint64(63)",
            "at = " + ("shift - begin" if self.lanes == 1 else "np.uint64(0) - begin"),
        ]
        asks = "seed, group, groups, now, np.uint64({word})"
        for k in self.words:
            out = self._drawn(k, "words")
            lines.append(f"random_words({asks.format(word=self.program.ops[k].payload)}, at_{out})")
            lines += self._spread(k, "words")
        for k in self.shared:
            op, out = self.program.ops[k], self._drawn(k, "counts_")
            head = asks.format(word=op.payload)
            lines.append(f"poisson_shared({head}, np.float64(v{op.args[0]}), at_words, at_more, at_table, at_{out})")
            lines += self._spread(k, "counts_")
        for k in self.own:
            lines += self._own(k, asks.format(word=self.program.ops[k].payload), values)
        lines += ["for i in range(begin, end):", *("    " + line for line in loop), "begin = end"]
        return [
            "begin = lo",
            "while begin < hi:",
            f"    end = min(hi, (begin // np.uint64({self.chunk}) + np.uint64(1)) * np.uint64({self.chunk}))",
            *("    " + line for line in lines),
        ]

    def _drawn(self, number: int, scratch: str) -> str:
        return f"drawn{number}" if self.lanes == 1 else scratch

    def _spread(self, number: int, scratch: str) -> list[str]:
        """Lines that give each neuron's number to its lanes."""
        if self.lanes == 1:
            return []
        return [
            f"for j in range((end - begin) // np.uint64({self.lanes})):",
            f"    for k in range(np.uint64({self.lanes})):",
            f"        drawn{number}[j * np.uint64({self.lanes}) + k] = {scratch}[shift + j]",
        ]

    def _own(self, number: int, asks: str, values: Callable[[int], list[str]]) -> list[str]:
        """Lines that draw counts of a mean for each element: lane by lane, since a neuron's lanes share its words."""
        mean = self.program.ops[number].args[0]
        out = self._drawn(number, "counts_")
        call = f"poisson_own({asks}, at_means, at_words, at_parts, at_p, at_below, at_{out})"
        where = "means[at + i]" if self.lanes == 1 else "wanted[at + i]"
        compute = [
            "for i in range(begin, end):",
            *("    " + line for line in values(mean)),
            f"    {where} = np.float64(v{mean})",
        ]
        empty = ["for j in range(groups << np.uint64(6)):", "    means[j] = 0.0"]
        if self.lanes == 1:
            return [*empty, *compute, call]
        lanes = f"np.uint64({self.lanes})"
        return [
            *compute,
            f"for k in range({lanes}):",
            *("    " + line for line in empty),
            f"    for j in range((end - begin) // {lanes}):",
            f"        means[shift + j] = wanted[j * {lanes} + k]",
            f"    {call}",
            f"    for j in range((end - begin) // {lanes}):",
            f"        drawn{number}[j * {lanes} + k] = counts_[shift + j]",
        ]

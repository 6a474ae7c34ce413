"""Removes what a step program computes or holds for nobody."""

from __future__ import annotations

from dataclasses import replace

from neuromorph.lowering.program import Op, StepProgram


def prune(program: StepProgram) -> tuple[StepProgram, tuple[int, ...]]:
    """`program` without ops that no result needs and without parameters that no op loads.

    Returns
    -------
    program : StepProgram
    kept : tuple of int
        Old positions of the parameters that are left.
    """
    needed = program.used | program.behind(number for _, number in program.observables)
    kept = tuple(sorted({program.ops[k].payload for k in needed if program.ops[k].code == "param"}))
    slot = {old: new for new, old in enumerate(kept)}
    place = {old: new for new, old in enumerate(sorted(needed))}
    ops = []
    for old in place:
        op = program.ops[old]
        payload = slot[op.payload] if op.code == "param" else op.payload
        ops.append(Op(op.code, tuple(place[a] for a in op.args), op.type, payload))
    return (
        replace(
            program,
            ops=tuple(ops),
            params=tuple(program.params[k] for k in kept),
            new_states=tuple(place[k] for k in program.new_states),
            fired=None if program.fired is None else place[program.fired],
            value=None if program.value is None else place[program.value],
            observables=tuple((name, place[k]) for name, k in program.observables),
        ),
        kept,
    )

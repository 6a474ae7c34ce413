"""Populations that act in some steps only: on what condition a step does nothing, so that its kernel can return."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from neuromorph.language.expr import Type
from neuromorph.lowering.program import StepProgram


def turn(program: StepProgram, shared: AbstractSet[int]) -> int | None:
    """The condition without which a step leaves every state as it is and sends nothing; None if there is none.

    Parameters
    ----------
    program : StepProgram
    shared : set of int
        Numbers of the ops that have one value for all neurons; the condition is one of them.
    """
    ops = program.ops

    def needs(number: int, condition: int) -> bool:
        """Whether an op is false where the condition is."""
        op = ops[number]
        return number == condition or (op.code == "and" and any(needs(k, condition) for k in op.args))

    def keeps(number: int, state: int, condition: int) -> bool:
        """Whether an op is the old state where the condition is false."""
        op = ops[number]
        if op.code == "select":
            return needs(op.args[0], condition) and keeps(op.args[2], state, condition)
        return op.code == "state" and op.payload == state

    for condition in sorted(shared & program.used):
        if ops[condition].type is not Type.BOOL or ops[condition].code == "const":
            continue
        silent = program.fired is None or needs(program.fired, condition)
        if silent and all(keeps(new, state, condition) for state, new in enumerate(program.new_states)):
            return condition
    return None

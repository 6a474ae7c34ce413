"""Checks that a step program is well formed: run after lowering, and in the tests of whatever rewrites programs."""

from __future__ import annotations

from neuromorph.language.expr import Type
from neuromorph.lowering.primitives import result_type
from neuromorph.lowering.program import Op, StepProgram

_F, _I, _B = Type.FLOAT, Type.INT, Type.BOOL

_NUMBER = ((_F,), (_I,))
_PAIR = ((_F, _F), (_I, _I))
_OPERANDS: dict[str, tuple[tuple[Type, ...], ...]] = {
    **dict.fromkeys(("add", "sub", "mul", "min", "max", "lt", "le", "gt", "ge"), _PAIR),
    **dict.fromkeys(("eq", "ne"), (*_PAIR, (_B, _B))),
    **dict.fromkeys(("neg", "abs"), _NUMBER),
    **dict.fromkeys(("sqrt", "floor", "rint", "trunc", "to_int", "exponent", "mantissa", "poisson"), ((_F,),)),
    **dict.fromkeys(("exp", "expm1", "phi1", "log", "sigmoid", "tanh", "sin", "cos"), ((_F,),)),
    **dict.fromkeys(("to_float", "exp2i"), ((_I,),)),
    **dict.fromkeys(("shr", "shl", "truncdiv", "bitand"), ((_I, _I),)),
    **dict.fromkeys(("and", "or"), ((_B, _B),)),
    **dict.fromkeys(("div", "power"), ((_F, _F),)),
    "not": ((_B,),),
    "select": ((_B, _F, _F), (_B, _I, _I), (_B, _B, _B)),
}
_PLAIN = {Type.FLOAT: float, Type.INT: int, Type.BOOL: bool}


def verify(program: StepProgram) -> None:
    """Raise if an op, a slot or a result of `program` is not what its documentation says.

    Raises
    ------
    ValueError
        A fault in neuromorph, never in the user's model; the message names the op.
    """
    for number, op in enumerate(program.ops):
        problem = _problem(program, number, op)
        if problem:
            raise ValueError(f"op {number} of the step program, {op.code}{op.args}: {problem}")
    if len(program.new_states) != len(program.states):
        raise ValueError(f"{len(program.states)} states but {len(program.new_states)} new values")
    for slot, number in zip(program.states, program.new_states, strict=True):
        _require_type(program, f"new value of state {slot.name}", number, slot.type)
    if program.fired is not None:
        _require_type(program, "fired", program.fired, Type.BOOL)
    if program.value is not None:
        _require_type(program, "value of the event", program.value, Type.FLOAT)
    for name, number in program.observables:
        if not 0 <= number < len(program.ops):
            raise ValueError(f"observable {name} is op {number} of {len(program.ops)}")


def _require_type(program: StepProgram, what: str, number: int, type_: Type) -> None:
    if not 0 <= number < len(program.ops) or program.ops[number].type is not type_:
        raise ValueError(f"{what} is op {number}, which should be a {type_}")


def _problem(program: StepProgram, number: int, op: Op) -> str:
    if any(not 0 <= a < number for a in op.args):
        return "an operand is not an earlier op"
    slots = {"state": program.states, "param": program.params, "port": program.ports}
    match op.code:
        case "const":
            return "" if type(op.payload) is _PLAIN[op.type] else f"payload {op.payload!r} is not a {op.type}"
        case "state" | "param" | "port":
            if not isinstance(op.payload, int) or not 0 <= op.payload < len(slots[op.code]):
                return f"there is no {op.code} {op.payload}"
            return (
                "" if slots[op.code][op.payload].type is op.type else f"the slot is a {slots[op.code][op.payload].type}"
            )
        case "step" | "random":
            return "" if op.type is Type.INT else "not an int"
    if op.code not in _OPERANDS:
        return "unknown code"
    types = tuple(program.ops[a].type for a in op.args)
    if types not in _OPERANDS[op.code]:
        return f"operands are {', '.join(types)}"
    if op.type is not result_type(op.code, types):
        return f"result is called a {op.type}"
    divisor = program.ops[op.args[-1]]
    if op.code == "truncdiv" and divisor.code == "const" and divisor.payload == 0:
        return "divides by 0"
    if op.code in ("shr", "shl") and divisor.code == "const" and not 0 <= divisor.payload <= 63:
        return f"shifts by {divisor.payload}"
    return ""

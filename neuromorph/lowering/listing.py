"""A step program as text, for people and for content keys."""

from __future__ import annotations

from neuromorph.lowering.program import Op, Slot, StepProgram

_SIGNS = {
    "add": "+",
    "sub": "-",
    "mul": "*",
    "div": "/",
    "shr": ">>",
    "shl": "<<",
    "bitand": "&",
    "lt": "<",
    "le": "<=",
    "gt": ">",
    "ge": ">=",
    "eq": "==",
    "ne": "!=",
    "and": "and",
    "or": "or",
}


def text(program: StepProgram) -> str:
    """`program` as a listing: slots, then one op a line, then results.

    Equal programs have equal listings; constants are written so that they read back bit for bit.
    """
    lines = [f"program {program.dtype}"]
    for kind, slots in (("state", program.states), ("param", program.params), ("port", program.ports)):
        lines += [f"  {kind} {k}: {_slot(slot)}" for k, slot in enumerate(slots)]
    lines += [f"  v{k} = {_op(program, op)}" for k, op in enumerate(program.ops)]
    lines += [f"  {slot.name}' = v{number}" for slot, number in zip(program.states, program.new_states, strict=True)]
    if program.fired is not None:
        lines.append(f"  fired = v{program.fired}")
    if program.value is not None:
        lines.append(f"  value = v{program.value}")
    lines += [f"  observe {name} = v{number}" for name, number in program.observables]
    return "\n".join(lines) + "\n"


def _slot(slot: Slot) -> str:
    unit = f", in {slot.unit} of {slot.scale!r} SI" if slot.unit else ""
    return f"{slot.name} ({slot.type}, {'per neuron' if slot.per_neuron else 'shared'}{unit})"


def _op(program: StepProgram, op: Op) -> str:
    args = [f"v{a}" for a in op.args]
    match op.code:
        case "const":
            return repr(op.payload)
        case "state" | "param" | "port":
            slots = {"state": program.states, "param": program.params, "port": program.ports}[op.code]
            return f"{op.code} {op.payload} ({slots[op.payload].name})"
        case "step":
            return "step"
        case "random":
            return f"random {op.payload}"
        case "poisson":
            return f"poisson {op.payload}({args[0]})"
        case "neg":
            return f"-{args[0]}"
        case "not":
            return f"not {args[0]}"
        case "select":
            return f"{args[1]} if {args[0]} else {args[2]}"
        case code if code in _SIGNS:
            return f"{args[0]} {_SIGNS[code]} {args[1]}"
        case code:
            return f"{code}({', '.join(args)})"

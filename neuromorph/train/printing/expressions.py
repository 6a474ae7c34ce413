"""Ops as expressions of PyTorch: one statement each, in place where a value has served its purpose."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from neuromorph.language.expr import Type
from neuromorph.lowering.builder import Builder

LEAVES = frozenset({"const", "state", "param", "port", "host", "incoming"})
NUMBERS = frozenset({"const", "host"})
"""Leaves that are numbers of Python."""
INFIX = {
    "add": "+", "sub": "-", "mul": "*", "div": "/", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==",
    "ne": "!=", "and": "&", "or": "|", "bitand": "&", "shr": ">>", "shl": "<<",
}  # fmt: skip
"""Operations that have a sign in Python."""
_TORCH = {
    "abs": "abs", "exp": "exp", "expm1": "expm1", "log": "log", "sigmoid": "sigmoid", "tanh": "tanh", "sqrt": "sqrt",
    "sin": "sin", "cos": "cos", "floor": "floor", "rint": "round", "trunc": "trunc", "neg": "neg", "add": "add",
    "sub": "sub", "mul": "mul", "div": "div", "power": "pow",
}  # fmt: skip
_LETTERS = {"state": "s", "param": "p", "port": "a", "host": "h"}
_TYPES = {Type.FLOAT: "dtype", Type.INT: "torch.int64", Type.BOOL: "torch.bool"}


class Ops:
    """The ops of a builder, and what is known of them.

    Attributes
    ----------
    batched : frozenset of int
        Ops whose values differ by sample; the others are shared numbers or one for each neuron.
    """

    def __init__(self, builder: Builder) -> None:
        self.ops = builder.ops
        batched: set[int] = set()
        for number, op in enumerate(self.ops):
            if op.code in ("state", "port", "incoming", "random", "poisson") or any(a in batched for a in op.args):
                batched.add(number)
        self.batched = frozenset(batched)

    def below(self, roots: Iterable[int], stop: Collection[int] = ()) -> list[int]:
        """What is needed for `roots`, in order; nothing below what is in `stop`."""
        needed = set(roots)
        for number in range(len(self.ops) - 1, -1, -1):
            if number in needed and number not in stop:
                needed.update(self.ops[number].args)
        return sorted(needed)

    def is_number(self, number: int) -> bool:
        """Whether an op is a number of Python."""
        return self.ops[number].code in NUMBERS

    def name(self, number: int) -> str:
        """What an op's value is called."""
        op = self.ops[number]
        match op.code:
            case "const":
                return repr(op.payload)
            case "state" | "param" | "port" | "host":
                return f"{_LETTERS[op.code]}{op.payload}"
            case "incoming":
                return "g_" + "".join(map(str, op.payload))
        return f"v{number}"

    def tensor(self, number: int) -> str:
        """The same, where a number will not do."""
        op = self.ops[number]
        if op.code == "const" and op.type is Type.FLOAT and op.payload == 0.0:
            return "zero"
        return f"scalar({self.name(number)}, zero, {_TYPES[op.type]})" if op.code in NUMBERS else self.name(number)

    def full(self, number: int) -> str:
        """The same, with a value for every sample and neuron."""
        if number in self.batched:
            return self.name(number)
        return f"spread({self.name(number)}, event, {_TYPES[self.ops[number].type]})"

    def expression(self, number: int) -> str:
        """An op's value."""
        op = self.ops[number]
        args = [self.name(a) for a in op.args]
        match op.code:
            case "neg":
                return f"-{args[0]}"
            case "not":
                return f"~{args[0]}"
            case "select":
                return f"torch.where({args[0]}, {self._branches(*op.args[1:])})"
            case "min" | "max":
                return self._extreme(op.code, *op.args)
            case "to_float" | "exp2i":
                return f"{op.code}({args[0]}, dtype)"
            case "surrogate":
                scaled = "" if op.payload == 1.0 else f" * {1.0 / op.payload!r}"
                return f"surrogate({args[0]}{scaled}){scaled}"
            case "random":
                return f"noise.bits({op.payload})"
            case "poisson":
                return f"noise.poisson({op.payload}, {args[0]})"
        if op.code in INFIX:
            return f"{args[0]} {INFIX[op.code]} {args[1]}"
        function = f"torch.{_TORCH[op.code]}" if op.code in _TORCH else op.code
        return f"{function}({', '.join(args)})"

    def _branches(self, yes: int, no: int) -> str:
        if self.is_number(yes) and self.is_number(no):
            return f"{self.tensor(yes)}, {self.tensor(no)}"
        return ", ".join("zero" if self.tensor(k) == "zero" else self.name(k) for k in (yes, no))

    def _extreme(self, code: str, a: int, b: int) -> str:
        for first, second in ((a, b), (b, a)):
            if self.is_number(second):
                return f"torch.clamp({self.name(first)}, {'max' if code == 'min' else 'min'}={self.name(second)})"
        return f"torch.{'minimum' if code == 'min' else 'maximum'}({self.name(a)}, {self.name(b)})"

    def statements(
        self,
        numbers: Iterable[int],
        kept: Collection[int],
        *,
        spare: Collection[int] = (),
        fuse: bool = False,
        into: Mapping[int, list[str]] | None = None,
    ) -> list[str]:
        """Assignments of ops.

        Parameters
        ----------
        numbers : iterable of int
            What is to be computed, in order; leaves are passed over.
        kept : collection of int
            Values that are needed afterwards.
        spare : collection of int
            Leaves that may be overwritten once they have served.
        fuse : bool
            Join products and sums, where rounding once less does not matter.
        into : mapping of int to list of str, optional
            Tensors that take a value.
        """
        order = [k for k in numbers if self.ops[k].code not in LEAVES]
        uses: dict[int, int] = dict.fromkeys(kept, 1)
        for k in order:
            for a in self.ops[k].args:
                uses[a] = uses.get(a, 0) + 1
        joined = self._joined(order, uses) if fuse else {}
        absorbed = {product for product, _ in joined.values()}
        into = into or {}
        last = {a: k for k in order for a in self._operands(k, joined)}
        free = {k for k in {*order, *spare} if k not in kept and k not in into and k in self.batched}
        free -= {k for k in order if self.ops[k].code == "surrogate"}  # it may hand back what it was given
        lines = []
        for k in order:
            if k in absorbed:
                continue
            reusable = [a for a in self._operands(k, joined) if a in free and last[a] == k]
            text = self._fused(k, *joined[k]) if k in joined else self._in_place(k, reusable)
            lines += self._assigned(k, text or self.expression(k), into.get(k, []))
        return lines

    def _operands(self, number: int, joined: Mapping[int, tuple[int, int]]) -> tuple[int, ...]:
        if number not in joined:
            return self.ops[number].args
        product, other = joined[number]
        return (*self.ops[product].args, other)

    def _joined(self, order: Iterable[int], uses: Mapping[int, int]) -> dict[int, tuple[int, int]]:
        """Sums with a product that nothing else uses: (product, the other operand)."""
        found: dict[int, tuple[int, int]] = {}
        for k in order:
            op = self.ops[k]
            if op.code not in ("add", "sub"):
                continue
            for product, other in ((op.args[1], op.args[0]), *([op.args] if op.code == "add" else [])):
                made = self.ops[product]
                plain = not any(map(self.is_number, (*made.args, other))) and other in self.batched
                if made.code == "mul" and uses[product] == 1 and plain:
                    found[k] = product, other
                    break
        return found

    def _fused(self, number: int, product: int, other: int) -> str:
        args = ", ".join(self.name(a) for a in (other, *self.ops[product].args))
        return f"torch.addcmul({args}{', value=-1' if self.ops[number].code == 'sub' else ''})"

    def _in_place(self, number: int, reusable: list[int]) -> str | None:
        """The op written over one of its operands, if that can be."""
        op = self.ops[number]
        if op.code not in _TORCH or op.type is not Type.FLOAT or not reusable:
            return None
        first = op.args[0]
        if first not in reusable:
            if op.code not in ("add", "mul") or op.args[1] not in reusable:
                return None
            return f"{self.name(op.args[1])}.{_TORCH[op.code]}_({self.name(first)})"
        return f"{self.name(first)}.{_TORCH[op.code]}_({', '.join(map(self.name, op.args[1:]))})"

    def _assigned(self, number: int, text: str, targets: list[str]) -> list[str]:
        """A value, in the tensors that take it: made there, if PyTorch can."""
        if not targets:
            return [f"    v{number} = {text}"]
        op = self.ops[number]
        if text.startswith("torch.addcmul"):
            text = f"{text[:-1]}, out={targets[0]})"
        elif op.code in _TORCH and not self.is_number(op.args[0]) and text == self.expression(number):
            text = f"torch.{_TORCH[op.code]}({', '.join(map(self.name, op.args))}, out={targets[0]})"
        elif op.code == "select" and not any(self.is_number(a) and self.tensor(a) != "zero" for a in op.args[1:]):
            text = f"{text[:-1]}, out={targets[0]})"
        else:
            text = f"{targets[0]}.copy_({text})"
        return [f"    v{number} = {text}", *(f"    {target}.copy_(v{number})" for target in targets[1:])]

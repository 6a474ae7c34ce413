"""Every rule of the language: the message names the class, the line, the symbols and the remedy."""

from __future__ import annotations

import linecache
import textwrap
import traceback
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
import pytest

from neuromorph import language, units
from neuromorph.errors import LanguageError, NeuromorphError, UnitError
from neuromorph.language import Neuron

_files = count()


def execute(source: str) -> dict[str, Any]:
    """Run source text as a file of its own, as a notebook does with a cell."""
    filename = f"<cell {next(_files)}>"
    source = textwrap.dedent(source).strip() + "\n"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    namespace: dict[str, Any] = {name: getattr(language, name) for name in language.__all__}
    namespace |= {name: getattr(units, name) for name in units.__all__} | {"np": np, "__name__": "cell"}
    namespace["__file__"] = filename
    exec(compile(source, filename, "exec"), namespace)
    return namespace


def neuron_of(body: str, decorator: str = "@neuron") -> Neuron:
    """The neuron X with this body."""
    made = execute(f"{decorator}\nclass X:\n" + textwrap.indent(textwrap.dedent(body).strip(), "    "))["X"]
    assert isinstance(made, Neuron)
    return made


@dataclass(frozen=True)
class Case:
    """A body in which the line marked ``# !`` breaks a rule."""

    body: str
    error: type[NeuromorphError]
    says: tuple[str, ...]
    raised_there: bool = True  # False: found when the class body is complete, about the marked line


OPERATORS = {
    "sum of dimensions": Case(
        """
        r, i, v = Param(10 * Mohm), State(0 * nA), State(0 * mV)
        v.dot = (r * i - i) / (5 * ms)  # !
        """,
        UnitError,
        ("cannot subtract i (current (A)) from r * i (voltage (V))",),
    ),
    "bare number": Case(
        """
        v = State(0 * mV)
        e = Event(when=v > 15)  # !
        """,
        UnitError,
        ("cannot compare v (voltage (V)) with 15", "write 15 * mV"),
    ),
    "named intermediate in the message": Case(
        """
        v, tau = State(0 * mV), Param(5 * ms)
        drive = v / tau
        v.next = drive + v  # !
        """,
        UnitError,
        ("cannot add drive", "and v (voltage (V))"),
    ),
    "if": Case(
        """
        v = State(0.0)
        if v > 1:  # !
            v.next = v
        """,
        LanguageError,
        ("no truth value", "where(c, a, b)"),
    ),
    "and": Case(
        """
        v = State(0.0)
        e = Event(when=(v > 1) and (v < 2))  # !
        """,
        LanguageError,
        ("& | ~",),
    ),
    "not": Case(
        """
        v = State(0.0)
        e = Event(when=not v > 1)  # !
        """,
        LanguageError,
        ("& | ~",),
    ),
    "chained comparison": Case(
        """
        v = State(0.0)
        e = Event(when=0 < v < 1)  # !
        """,
        LanguageError,
        ("(a < x) & (x < b) for a < x < b",),
    ),
    "missing parentheses": Case(
        """
        v = State(0.0)
        c = v > 0 & v  # !
        """,
        LanguageError,
        ("& joins conditions", "parentheses"),
    ),
    "comparing conditions": Case(
        """
        v = State(0.0)
        c = (v > 0) == (v > 1)  # !
        """,
        LanguageError,
        ("is a condition and cannot be compared",),
    ),
    "invert a number": Case(
        """
        v = State(0.0)
        c = ~v  # !
        """,
        LanguageError,
        ("~ joins conditions", "v (float, dimensionless) is a number"),
    ),
    "iteration": Case(
        """
        v = State(0.0)
        a, b = v  # !
        """,
        LanguageError,
        ("cannot be iterated",),
    ),
    "length": Case(
        """
        v = State(0.0)
        n = len(v)  # !
        """,
        LanguageError,
        ("has no length",),
    ),
    "element": Case(
        """
        v = State(0.0)
        n = v[0]  # !
        """,
        LanguageError,
        ("has no elements",),
    ),
    "math function": Case(
        """
        import math
        v = State(0.0)
        v.next = math.exp(v)  # !
        """,
        LanguageError,
        ("instead of those of math",),
    ),
    "int()": Case(
        """
        v = State(0.0)
        n = int(v)  # !
        """,
        LanguageError,
        ("to_int(x)",),
    ),
    "round()": Case(
        """
        v = State(0.0)
        v.next = round(v)  # !
        """,
        LanguageError,
        ("use rint(x)",),
    ),
    "wide int": Case(
        """
        n = State(0, dtype=int)
        n.next = n + 2**63  # !
        """,
        LanguageError,
        ("does not fit the 64 bits",),
    ),
    "NaN": Case(
        """
        v = State(0.0)
        v.next = v * float("nan")  # !
        """,
        LanguageError,
        ("NaN",),
    ),
    "modulo": Case(
        """
        v = State(0.0)
        v.next = v % 2  # !
        """,
        LanguageError,
        ("a - floor(a / b) * b",),
    ),
    "floor division": Case(
        """
        v = State(0, dtype=int)
        v.next = v // 2  # !
        """,
        LanguageError,
        ("trunc_div(a, b) for ints",),
    ),
    "caret": Case(
        """
        v = State(0.0)
        v.next = v ^ 2  # !
        """,
        LanguageError,
        ("** for a power",),
    ),
    "matrix product": Case(
        """
        v = State(0.0)
        v.next = v @ v  # !
        """,
        LanguageError,
        ("weights belong to projections",),
    ),
    "exponent of an expression": Case(
        """
        v = State(0.0)
        v.next = v ** v  # !
        """,
        LanguageError,
        ("exponent must be a plain number", "exp(b * log(a))"),
    ),
    "base that is a number": Case(
        """
        v = State(0.0)
        v.next = 2 ** v  # !
        """,
        LanguageError,
        ("exp(x * log(a))",),
    ),
    "shift of a float": Case(
        """
        v = State(0.0)
        v.next = v >> 2  # !
        """,
        LanguageError,
        (">> needs ints", "v (float, dimensionless) is a float", "to_int(x)"),
    ),
    "shift too far": Case(
        """
        v = State(0, dtype=int)
        v.next = v << 64  # !
        """,
        LanguageError,
        ("a shift by 64 bits",),
    ),
    "truncating division of floats": Case(
        """
        v = State(0.0)
        v.next = trunc_div(v, 2)  # !
        """,
        LanguageError,
        ("trunc_div needs ints",),
    ),
    "exp of a voltage": Case(
        """
        v = State(0 * mV)
        g = exp(v)  # !
        """,
        UnitError,
        ("exp needs a dimensionless argument, not v (voltage (V))", "divide it by a scale"),
    ),
    "floor of a voltage": Case(
        """
        v = State(0 * mV)
        g = floor(v)  # !
        """,
        UnitError,
        ("floor needs a dimensionless argument",),
    ),
    "branches of where": Case(
        """
        v = State(0 * mV)
        v.next = where(v > 0 * mV, v, 0)  # !
        """,
        UnitError,
        ("cannot choose between v (voltage (V)) and 0", "write 0 * mV"),
    ),
    "where without condition": Case(
        """
        v = State(0.0)
        v.next = where(v, 1, 0)  # !
        """,
        LanguageError,
        ("where() needs a condition first",),
    ),
    "array": Case(
        """
        v = State(0.0)
        v.next = v * np.array([1.0, 2.0])  # !
        """,
        LanguageError,
        ("array of shape (2,)", "make it a Param"),
    ),
    "array on the left": Case(
        """
        v = State(0.0)
        v.next = np.array([1.0, 2.0]) * v  # !
        """,
        LanguageError,
        ("array of shape (2,)", "make it a Param"),
    ),
    "array of quantities": Case(
        """
        v = State(0 * mV)
        v.next = v + [1.0, 2.0] * mV  # !
        """,
        LanguageError,
        ("array of shape (2,)",),
    ),
    "text": Case(
        """
        v = State(0.0)
        v.next = v + "1"  # !
        """,
        LanguageError,
        ("str '1' cannot be part of an expression",),
    ),
    "unknown NumPy function": Case(
        """
        v = State(0.0)
        v.next = np.arctan(v)  # !
        """,
        LanguageError,
        ("NumPy's arctan cannot be applied",),
    ),
    "NumPy reduction": Case(
        """
        v = State(0.0)
        v.next = np.cumsum(v)  # !
        """,
        LanguageError,
        ("NumPy's cumsum cannot be applied",),
    ),
    "in-place change": Case(
        """
        i = Port()
        v = State(0.0)
        v += i  # !
        """,
        LanguageError,
        (".jump = ",),
    ),
    "call": Case(
        """
        v = State(0.0)
        v.next = v(1)  # !
        """,
        LanguageError,
        ("not a function",),
    ),
}

SYMBOLS = {
    "dot and next": Case(
        """
        v = State(0.0)
        v.dot = -v / (5 * ms)
        v.next = v  # !
        """,
        LanguageError,
        ("v (float, dimensionless) has a .dot (line 4) and cannot have a .next too",),
    ),
    "next and dot": Case(
        """
        v = State(0.0)
        v.next = v
        v.dot = -v / (5 * ms)  # !
        """,
        LanguageError,
        ("has a .next (line 4) and cannot have a .dot too",),
    ),
    "derivative of an int": Case(
        """
        n = State(0, dtype=int)
        n.dot = 1 / (5 * ms)  # !
        """,
        LanguageError,
        ("n (int, dimensionless) is an int state and has no derivative", ".next"),
    ),
    "dot without the time": Case(
        """
        v = State(0 * mV)
        v.dot = -v  # !
        """,
        UnitError,
        (".dot of v (voltage (V)) must be", "not -v (voltage (V))"),
    ),
    "reset of another dimension": Case(
        """
        v = State(0 * mV)
        e = Event(v > 1 * mV)
        v.reset = 0  # !
        """,
        UnitError,
        (".reset of v (voltage (V)) must be voltage (V), not 0", "write 0 * mV"),
    ),
    "jump of another dimension": Case(
        """
        i_in = Port(unit=nA)
        v = State(0 * mV)
        v.jump = i_in  # !
        """,
        UnitError,
        (".jump of v (voltage (V)) must be voltage (V), not i_in (current (A))",),
    ),
    "float into int": Case(
        """
        n = State(0, dtype=int)
        n.next = n * 0.5  # !
        """,
        LanguageError,
        (".next of the int state n (int, dimensionless) must be an int", "to_int(x)"),
    ),
    "rule twice": Case(
        """
        v = State(0.0)
        v.next = v
        v.next = v + 1  # !
        """,
        LanguageError,
        (".next of v (float, dimensionless) was already set in line 4",),
    ),
    "rule read before it is set": Case(
        """
        v = State(0.0)
        w = v.dot  # !
        """,
        LanguageError,
        ("has no .dot yet",),
    ),
    "rule of a parameter": Case(
        """
        tau = Param(5 * ms)
        tau.dot = 1  # !
        """,
        LanguageError,
        (".dot can be assigned on a State only, and this is tau (time (s))",),
    ),
    "rule of an intermediate": Case(
        """
        v = State(0.0)
        w = v + 1
        w.next = v  # !
        """,
        LanguageError,
        (".next can be assigned on a State only, and this is w (float, dimensionless)",),
    ),
    "misspelt rule": Case(
        """
        v = State(0.0)
        v.reste = 1.0  # !
        """,
        LanguageError,
        ("a State has no .reste; did you mean .reset?",),
    ),
    "default array": Case(
        """
        tau = Param([1.0, 2.0] * ms)  # !
        """,
        LanguageError,
        ("a default is one value, got an array of shape (2,)", "LIF(tau=array)"),
    ),
    "default expression": Case(
        """
        tau = Param(5 * ms)
        rho = Param(2 * tau)  # !
        """,
        LanguageError,
        ("got the expression 2 * tau (time (s))", "bind the expression to a name"),
    ),
    "default text": Case(
        """
        tau = Param("5 ms")  # !
        """,
        UnitError,
        ("expected a number or a quantity, got str '5 ms'",),
    ),
    "default bool": Case(
        """
        b = Param(True)  # !
        """,
        LanguageError,
        ("write 1 or 0",),
    ),
    "int with a unit": Case(
        """
        n = State(1 * mV, dtype=int)  # !
        """,
        UnitError,
        ("an int has no unit, got 1 mV",),
    ),
    "int port with a unit": Case(
        """
        n = Port(unit=nA, dtype=int)  # !
        """,
        UnitError,
        ("an int has no unit, got nA",),
    ),
    "int of more than 32 bits": Case(
        """
        n = State(2**31, dtype=int)  # !
        """,
        LanguageError,
        ("an int holds 32 bits, got 2147483648",),
    ),
    "NaN as a default": Case(
        """
        tau = Param(float("nan") * ms)  # !
        """,
        LanguageError,
        ("Param: not a number",),
    ),
    "int with a fraction": Case(
        """
        n = Param(1.5, dtype=int)  # !
        """,
        LanguageError,
        ("expected a whole number because dtype=int, got 1.5",),
    ),
    "dtype": Case(
        """
        n = Param(1, dtype="int8")  # !
        """,
        LanguageError,
        ("dtype must be float or int, not 'int8'",),
    ),
    "unit of a port": Case(
        """
        n = Port(unit="nA")  # !
        """,
        LanguageError,
        ("unit must be a unit such as nA, not 'nA'",),
    ),
    "initial value from a state": Case(
        """
        v = State(0 * mV)
        w = State(2 * v)  # !
        """,
        LanguageError,
        ("may depend on Params and numbers alone, not on v (voltage (V))",),
    ),
    "initial value at random": Case(
        """
        w = State(uniform())  # !
        """,
        LanguageError,
        ("may depend on Params and numbers alone",),
    ),
    "initial value of an int": Case(
        """
        k = Param(2.0)
        w = State(k, dtype=int)  # !
        """,
        LanguageError,
        ("initial value of an int state must be an int, not k",),
    ),
    "when is a number": Case(
        """
        v = State(0.0)
        e = Event(when=v)  # !
        """,
        LanguageError,
        ("when= must be a condition, not v", "v > theta"),
    ),
    "value with a unit": Case(
        """
        v = State(0 * mV)
        e = Event(when=v > 1 * mV, value=v)  # !
        """,
        UnitError,
        ("value= must be dimensionless, not v (voltage (V))", "weights carry the port's unit"),
    ),
    "value that is an int": Case(
        """
        n = State(0, dtype=int)
        e = Event(when=n > 1, value=n)  # !
        """,
        LanguageError,
        ("value= must be a float, and n (int, dimensionless) is an int", "to_float(x)"),
    ),
    "value that is a condition": Case(
        """
        v = State(0.0)
        e = Event(when=v > 1, value=v > 2)  # !
        """,
        LanguageError,
        ("is a condition", "to_float(x)"),
    ),
    "refractory not a time": Case(
        """
        v = State(0.0)
        e = Event(when=v > 1, refractory=2)  # !
        """,
        UnitError,
        ("refractory= must be a time, not 2", "2 * ms"),
    ),
    "refractory not constant": Case(
        """
        v = State(0.0)
        e = Event(when=v > 1, refractory=v * ms)  # !
        """,
        LanguageError,
        ("must be constant for each neuron, and depends on v",),
    ),
    "hold of a parameter": Case(
        """
        v, t = State(0.0), Param(2 * ms)
        e = Event(when=v > 1, refractory=t, hold=(v, t))  # !
        """,
        LanguageError,
        ("hold= takes a State or a tuple of States, not t (time (s))",),
    ),
    "hold without refractory": Case(
        """
        v = State(0.0)
        e = Event(when=v > 1, hold=v)  # !
        """,
        LanguageError,
        ("hold= needs refractory=",),
    ),
    "event as a value": Case(
        """
        v = State(0.0)
        e = Event(when=v > 1)
        v.next = e  # !
        """,
        LanguageError,
        ("an Event is not a value",),
    ),
}

WHOLE = {
    "rebound": Case(
        """
        v = State(0.0)  # !
        v = v + 1
        """,
        LanguageError,
        ("the State made here has no name, or lost it", "assign its .jump, .dot, .next or .reset"),
        False,
    ),
    "unnamed": Case(
        """
        gates = [State(0.0), State(1.0)]  # !
        """,
        LanguageError,
        ("the State made here has no name",),
        False,
    ),
    "parameter lost": Case(
        """
        k = Param(1.0)  # !
        k = Param(2.0)
        """,
        LanguageError,
        ("the Param made here has no name",),
        False,
    ),
    "two names": Case(
        """
        v = w = State(0.0)  # !
        """,
        LanguageError,
        ("one State is bound to two names, 'v' and 'w'",),
        False,
    ),
    "two events": Case(
        """
        v = State(0.0)
        a = Event(when=v > 1)
        b = Event(when=v < 0)  # !
        """,
        LanguageError,
        ("a neuron has one Event, got 'a' and 'b'", "join their conditions with |"),
        False,
    ),
    "event again": Case(
        """
        v = State(0.0)
        a = Event(when=v > 1)  # !
        a = Event(when=v < 0)
        """,
        LanguageError,
        ("the Event made here has no name", "a neuron has one Event"),
        False,
    ),
    "reset without event": Case(
        """
        v = State(0.0)
        v.reset = 0.0  # !
        """,
        LanguageError,
        (".reset of state 'v' can never happen, for X has no Event",),
        False,
    ),
    "port not read": Case(
        """
        i_in = Port(unit=nA)  # !
        v = State(0.0)
        """,
        LanguageError,
        ("port 'i_in' is never read",),
        False,
    ),
    "reserved port": Case(
        """
        size = Port()  # !
        v = State(0.0)
        v.jump = size
        """,
        LanguageError,
        ("a port cannot be called 'size'", "rename it"),
        False,
    ),
    "dt is taken": Case(
        """
        dt = Param(1 * ms)  # !
        """,
        LanguageError,
        ("'dt' already has a meaning in equations, the length of a step",),
        False,
    ),
}


def _failure(case: Case, *, complete: bool) -> tuple[str, NeuromorphError]:
    body = textwrap.dedent(case.body).strip() + ("\nlast = State(0.0)" if complete else "")
    marked = next(k for k, line in enumerate(body.splitlines(), start=3) if line.endswith("# !"))
    with pytest.raises(case.error) as caught:
        neuron_of(body)
    message = str(caught.value)
    lines = [frame for frame in traceback.extract_tb(caught.value.__traceback__) if frame.filename.startswith("<cell ")]
    assert f">:{marked}, in X: " in message, message
    assert body.splitlines()[marked - 3].strip() in message
    assert (lines[-1].lineno == marked) == case.raised_there
    assert caught.value.lineno == marked  # type: ignore[attr-defined]
    return message, caught.value


@pytest.mark.parametrize("name", [*OPERATORS, *SYMBOLS])
def test_refused_at_the_line(name: str) -> None:
    case = (OPERATORS | SYMBOLS)[name]
    message, _ = _failure(case, complete=False)
    for part in case.says:
        assert part in message


@pytest.mark.parametrize("name", WHOLE)
def test_refused_when_the_body_is_complete(name: str) -> None:
    message, _ = _failure(WHOLE[name], complete=True)
    for part in WHOLE[name].says:
        assert part in message


def test_unit_errors_carry_the_dimensions() -> None:
    _, error = _failure(OPERATORS["sum of dimensions"], complete=False)
    assert error.left == units.CURRENT  # type: ignore[attr-defined]
    assert error.right == units.VOLTAGE  # type: ignore[attr-defined]


def test_symbols_belong_to_one_body() -> None:
    source = """
    shared = State(0.0)

    @neuron
    class X:
        v = State(0.0)
        v.next = shared + 1
    """
    with pytest.raises(LanguageError, match=r">:1, in X: the State made here is used in X, but was made outside"):
        execute(source)
    with pytest.raises(LanguageError, match=r"'v' is a State made outside of X's body"):
        execute("shared = State(0.0)\n@neuron\nclass X:\n    v = shared")
    hold = "s = State(0.0)\n@neuron\nclass X:\n  v = State(0.0)\n  e = Event(v > 1, refractory=1 * ms, hold=s)"
    with pytest.raises(LanguageError, match="hold= names a State that was made outside"):
        execute(hold)


def test_a_failed_body_leaves_nothing_behind() -> None:
    with pytest.raises(LanguageError):
        neuron_of("lost = State(0.0)\nif lost > 1: pass")
    assert [s.name for s in neuron_of("v = State(0.0)").states] == ["v"]


def test_base_classes_are_refused() -> None:
    with pytest.raises(LanguageError, match=r"X: a neuron is one class body and has no base classes, got Base"):
        execute("class Base: pass\n@neuron\nclass X(Base):\n    v = State(0.0)")


def test_only_classes_are_decorated() -> None:
    with pytest.raises(LanguageError, match="decorates a class"):
        execute("@neuron\ndef f(): pass")


def test_unknown_method() -> None:
    with pytest.raises(LanguageError, match="unknown method 'eular'; did you mean 'euler'"):
        neuron_of("v = State(0.0)", "@neuron(method='eular')")
    with pytest.raises(LanguageError, match="unknown method 'rk4'; available: auto, exact"):
        neuron_of("v = State(0.0)").with_method("rk4")


def test_helpers_and_loops_are_python() -> None:
    made = execute(
        """
        def gate(port, bias):
            return sigmoid(port + bias)

        @neuron
        class X:
            a, b = Port(), Port()
            bias = Param(0.5)
            total = 0.0
            for port in (a, b):
                total = total + gate(port, bias)
            del port
            scale = 3
            x = State(0.0)
            x.next = total * scale
        """
    )["X"]
    assert [name for name, _ in made.named] == ["total"]
    assert made.equations()[0] == "total = 0 + sigmoid(a + bias) + sigmoid(b + bias)"


def test_symbols_made_by_a_helper_belong_to_the_body() -> None:
    made = execute("def leak():\n    return State(0 * mV)\n@neuron\nclass X:\n    v = leak()")["X"]
    assert made.state("v").unit == units.mV


def test_sum_adds_quantities() -> None:
    made = execute("@neuron\nclass X:\n    v, w = State(1 * mV), State(2 * mV)\n    v.next = sum([v, w, 3 * mV])")["X"]
    assert made.equations() == ["v <- v + w + 3 * mV"]

"""From neurons to step programs: what is shared, hoisted, folded and dropped, and what the verifier finds."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuromorph.errors import LanguageError
from neuromorph.language import (
    Event,
    Neuron,
    Param,
    Port,
    State,
    dt,
    exp,
    neuron,
    normal,
    poisson,
    step,
    to_float,
    to_int,
    trunc_div,
    trunc_shift,
    uniform,
    where,
)
from neuromorph.language.expr import Type
from neuromorph.lowering import Op, StepProgram, lower_neuron, text, verify
from neuromorph.lowering.builder import Builder
from neuromorph.lowering.evaluate import evaluate
from neuromorph.lowering.prune import prune
from neuromorph.simulate import simulate
from neuromorph.units import Mohm, ms, mV, nA, one


@neuron
class LIF:
    """Leaky integrate-and-fire neuron with one exponential synapse."""

    i_in = Port(unit=nA)
    tau_m, tau_s = Param(20 * ms), Param(5 * ms)
    r, theta, t_ref = Param(10 * Mohm), Param(15 * mV), Param(2 * ms)
    i, v = State(0 * nA), State(0 * mV)
    i.jump = i_in
    i.dot = -i / tau_s
    v.dot = (r * i - v) / tau_m
    spike = Event(when=v > theta, refractory=t_ref, hold=v)
    v.reset = v - theta


def codes(program: StepProgram) -> Counter:
    return Counter(op.code for op in program.ops)


def ints(model: Neuron, steps: int = 1, **options) -> dict[str, list[int]]:
    run = simulate(model, steps, dt=1 * ms, **options)
    return {name: [int(x) for x in values] for name, values in run.states.items()}


# --- what a program costs ---------------------------------------------------------------------------------------------
def test_a_lif_costs_three_products():
    program = lower_neuron(LIF, 1e-4).program
    assert codes(program)["mul"] == 3
    assert codes(program)["div"] == 0
    assert [slot.name for slot in program.states] == ["i", "v", "refractory steps"]


def test_only_parameters_that_the_step_needs_are_left():
    lowered = lower_neuron(LIF, 1e-4, "float64")
    found = dict(zip((p.name for p in lowered.program.params), lowered.param_values, strict=True))
    assert "tau_m" not in found
    assert "r" not in found
    assert found["theta"] == 0.015
    assert found["exp(i, i)"] == np.exp(-1e-4 / 5e-3)
    assert lowered.program.params[[p.name for p in lowered.program.params].index("theta")].unit == "mV"


def test_parameters_are_shared_or_per_neuron_as_given():
    lowered = lower_neuron(LIF(theta=np.array([10.0, 20.0]) * mV), 1e-4, size=2)
    per_neuron = {p.name for p in lowered.program.params if p.per_neuron}
    assert per_neuron == {"theta"}
    taus = lower_neuron(LIF(tau_s=np.array([5.0, 6.0]) * ms), 1e-4, size=2).program
    assert {p.name for p in taus.params if p.per_neuron} == {"exp(i, i)", "exp(v, v)", "exp(v, i)"}


@given(st.floats(1, 100), st.floats(1, 100), st.floats(0, 50), st.floats(-80, 0))
def test_values_never_change_the_program(tau_m, tau_s, t_ref, theta):
    changed = LIF(tau_m=tau_m * ms, tau_s=tau_s * ms, t_ref=t_ref * ms, theta=theta * mV)
    assert lower_neuron(changed, 1e-4).program == lower_neuron(LIF, 1e-4).program


def test_zero_coupling_by_value_stays_in_the_program():
    assert lower_neuron(LIF(r=0 * Mohm), 1e-4).program == lower_neuron(LIF, 1e-4).program


def test_expressions_of_parameters_and_dt_are_evaluated_once():
    @neuron
    class Scaled:
        a, b = Param(2.0), Param(3.0)
        k = Param(4, dtype=int)
        tau = Param(5 * ms)
        x = State(0.0)
        n = State(0, dtype=int)
        x.next = x * exp(-dt / tau) * (a + b) + 1.0 * 2.0
        n.next = n + (k << 2) + trunc_div(k, 3)

    lowered = lower_neuron(Scaled, 1e-3, "float64")
    assert codes(lowered.program)["exp2i"] == 0
    by_name = dict(zip((p.name for p in lowered.program.params), lowered.param_values, strict=True))
    assert by_name["a + b"] == 5.0
    assert by_name["k << 2"] == 16
    assert by_name["k << 2"].dtype == np.int64
    assert [op.payload for op in lowered.program.ops if op.code == "const"] == [2.0]


def test_equal_work_is_done_once():
    @neuron
    class Twice:
        u = Port()
        x, y = State(0.0), State(0.0)
        x.next = exp(u + x) + exp(x + u)
        y.next = exp(u + x)

    once = codes(lower_neuron(Twice, 1e-3).program)
    assert once["exp2i"] == 1


def test_random_leaves_keep_their_own_words():
    @neuron
    class Noisy:
        a, b, c, d = State(0.0), State(0.0), State(0.0), State(0, dtype=int)
        a.next = normal() + normal()
        b.next = uniform()
        c.next = uniform() + b
        d.next = poisson(3.0)

    program = lower_neuron(Noisy, 1e-3, "float64").program
    words = [op.payload for op in program.ops if op.code == "random"]
    assert len(words) == len(set(words)) == 8
    run = simulate(Noisy, 2000, dt=1 * ms)
    assert np.std(run.states["a"]) == pytest.approx(2**0.5, rel=0.1)
    assert np.mean(run.states["d"]) == pytest.approx(3.0, rel=0.1)
    narrow = simulate(Noisy, 50, dt=1 * ms, dtype="float32")
    assert narrow.states["a"] == pytest.approx(run.states["a"][:50], abs=1e-4)
    assert np.array_equal(narrow.states["d"], run.states["d"][:50])


def test_named_values_are_kept_only_when_asked_for():
    @neuron
    class Named:
        u = Port()
        x = State(0.0)
        twice = 2 * x + u
        x.next = x + 1
        over = Event(when=x > 2.5)
        x.reset = 0.0

    assert lower_neuron(Named, 1e-3).program.observables == ()
    run = simulate(Named, 4, dt=1 * ms, record=["x", "twice"])
    # as in the event's condition: the new state, before the reset
    assert list(run.states["twice"]) == [2, 4, 6, 2]
    assert list(run.states["x"]) == [1, 2, 0, 1]
    with pytest.raises(LanguageError, match="thrice"):
        lower_neuron(Named, 1e-3, observe=["thrice"])


def test_graded_ints_become_floats():
    @neuron
    class Count:
        n = State(0, dtype=int)
        n.next = n + 3
        out = Event(when=n > 5, value=to_float(n))

    program = lower_neuron(Count, 1e-3).program
    assert program.ops[program.value].type is Type.FLOAT
    assert list(simulate(Count, 3, dt=1 * ms).events.values) == [6, 9]


# --- integers ---------------------------------------------------------------------------------------------------------
@given(st.integers(-(2**31), 2**31 - 1), st.integers(0, 40), st.integers(-(2**31), 2**31 - 1))
def test_integer_arithmetic_is_that_of_the_language(x, bits, divisor):
    @neuron
    class Ints:
        a, k, d = Param(0, dtype=int), Param(0, dtype=int), Param(1, dtype=int)
        n = State(0, dtype=int)
        shifted, truncated, quotient, raised = (State(0, dtype=int) for _ in range(4))
        n.next = a
        shifted.next = n >> k
        truncated.next = trunc_shift(n, k)
        quotient.next = trunc_div(n, d)
        raised.next = n * n

    def wrap(value):
        return (value + 2**31) % 2**32 - 2**31

    got = ints(Ints(a=x, k=bits, d=divisor), 2)
    assert got["n"][1] == x
    assert got["shifted"][1] == wrap(x >> bits)
    assert got["truncated"][1] == wrap((abs(x) >> bits) * (1 if x >= 0 else -1))
    assert got["raised"][1] == wrap(x * x)
    expected = 0 if divisor == 0 else (abs(x) // abs(divisor)) * (1 if (x >= 0) == (divisor > 0) else -1)
    assert got["quotient"][1] == wrap(expected)


def test_states_wrap_when_stored_and_not_before():
    @neuron
    class Wrap:
        n = State(2**30, dtype=int)
        half = State(0, dtype=int)
        n.next = n * 2
        half.next = (n * 4) >> 2

    got = ints(Wrap, 3)
    assert got["n"] == [-(2**31), 0, 0]
    assert got["half"][:2] == [2**30, -(2**31)]


def test_shifts_by_states_are_limited():
    @neuron
    class Shift:
        k = State(60, dtype=int)
        x = State(-1, dtype=int)
        k.next = k + 5
        x.next = x >> k

    assert ints(Shift, 3)["x"] == [-1, -1, -1]


def test_ints_mix_into_floats_and_back():
    @neuron
    class Mix:
        n = State(7, dtype=int)
        x = State(0.0)
        n.next = to_int(x * -2.5)
        x.next = n / 2 + step

    run = simulate(Mix, 3, dt=1 * ms)
    assert list(run.states["x"]) == [3.5, 1.0, -2.0]
    assert list(run.states["n"]) == [0, -8, -2]


# --- values -----------------------------------------------------------------------------------------------------------
def test_wrong_lengths_are_refused():
    with pytest.raises(LanguageError, match=r"LIF.theta: 3 values for 2 neurons") as caught:
        lower_neuron(LIF(theta=np.ones(3) * mV), 1e-4, size=2)
    assert (caught.value.expected, caught.value.got) == (2, 3)


def test_distributions_are_sampled_by_seed_population_and_name():
    from neuromorph.network import Normal, Uniform

    model = LIF(v=Uniform(0 * mV, 15 * mV), theta=Normal(15 * mV, 1 * mV))
    first = lower_neuron(model, 1e-4, size=50, seed=1)
    again = lower_neuron(model, 1e-4, size=50, seed=1)
    assert np.array_equal(first.state_init[1], again.state_init[1])
    assert len(np.unique(first.state_init[1])) == 50
    for other in (lower_neuron(model, 1e-4, size=50, seed=2), lower_neuron(model, 1e-4, size=50, seed=1, index=1)):
        assert not np.array_equal(first.state_init[1], other.state_init[1])
    theta = first.param_values[[p.name for p in first.program.params].index("theta")]
    assert np.corrcoef(theta, first.state_init[1])[0, 1] < 0.5


def test_initial_states_follow_parameters():
    @neuron
    class Start:
        e = Param(-65 * mV)
        v = State(e)
        v.next = v

    init = lower_neuron(Start(e=np.array([-60.0, -70.0]) * mV), 1e-3, size=2).state_init
    assert np.array_equal(init[0], [-0.06, -0.07])


# --- the program as data ----------------------------------------------------------------------------------------------
def test_listing_shows_every_part():
    listing = text(lower_neuron(LIF, 1e-4).program)
    for line in ("program float32", "param 3: theta (float, shared, in mV", "port 0 (i_in)", "v' = ", "fired = "):
        assert line in listing
    assert text(lower_neuron(LIF, 2e-4).program) == listing  # dt is in the values
    assert text(lower_neuron(LIF, 1e-4, "float64").program) != listing


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: replace(p, ops=(*p.ops, Op("add", (len(p.ops), 0), Type.FLOAT))), "not an earlier op"),
        (lambda p: replace(p, ops=(*p.ops, Op("blend", (0, 1), Type.FLOAT))), "unknown code"),
        (lambda p: replace(p, ops=(*p.ops, Op("shr", (0, 1), Type.INT))), "operands are float, float"),
        (lambda p: replace(p, ops=(*p.ops, Op("lt", (0, 1), Type.FLOAT))), "result is called a float"),
        (lambda p: replace(p, ops=(*p.ops, Op("param", (), Type.FLOAT, 99))), "no param 99"),
        (lambda p: replace(p, ops=(*p.ops, Op("const", (), Type.FLOAT, 1))), "not a float"),
        (lambda p: replace(p, fired=0), "fired is op 0, which should be a bool"),
        (lambda p: replace(p, new_states=p.new_states[:-1]), "3 states but 2 new values"),
        (lambda p: replace(p, value=p.fired), "value of the event"),
        (lambda p: replace(p, observables=(("x", 10_000),)), "observable x"),
    ],
)
def test_verifier_finds_broken_programs(change, message):
    program = lower_neuron(LIF, 1e-4).program
    verify(program)
    with pytest.raises(ValueError, match=message):
        verify(change(program))


def test_verifier_finds_bad_shifts_and_divisors():
    b = Builder("float32")
    n = b.leaf("step", Type.INT)
    base = StepProgram("float32", tuple(b.ops), (), (), (), (), None, None)
    for code, number, message in (("shr", 64, "shifts by 64"), ("truncdiv", 0, "divides by 0")):
        ops = (*base.ops, Op("const", (), Type.INT, number), Op(code, (n.number, 1), Type.INT))
        with pytest.raises(ValueError, match=message):
            verify(replace(base, ops=ops))


def test_prune_keeps_results_and_drops_the_rest():
    b = Builder("float64")
    x, y = b.leaf("param", Type.FLOAT, 0), b.leaf("param", Type.FLOAT, 1)
    unused, kept = x + 1.0, y * 3.0
    slots = lower_neuron(LIF, 1e-4).program.params[:2]
    program = StepProgram("float64", tuple(b.ops), (), slots, (), (), None, None, (("k", kept.number),))
    small, params = prune(program)
    verify(small)
    assert unused.number < len(program.ops)
    assert len(small.ops) == 3
    assert params == (1,)
    assert evaluate(small, [], [np.float64(5.0)], [])[dict(small.observables)["k"]] == 15.0


@given(st.sampled_from(["float32", "float64"]), st.data())
def test_folding_gives_the_bits_of_the_evaluator(dtype, data):
    b = Builder(dtype)
    number = st.floats(width=32, allow_nan=False)
    x, y = (float(np.dtype(dtype).type(data.draw(number))) for _ in range(2))
    code = data.draw(st.sampled_from(["add", "sub", "mul", "div", "min", "max"]))
    folded = b.emit(code, b.const(x), b.const(y))
    assert b.ops[folded.number].code == "const"
    p, q = b.leaf("port", Type.FLOAT, 0), b.leaf("port", Type.FLOAT, 1)
    op = b.emit(code, p, q)
    slot = lower_neuron(LIF, 1e-4).program.ports[0]
    program = StepProgram(dtype, tuple(b.ops), (), (), (slot, slot), (), None, None)
    scalar = np.dtype(dtype).type
    values = evaluate(program, [], [], [scalar(x), scalar(y)])
    assert np.array_equal(values[op.number], scalar(folded.constant), equal_nan=True)


def test_where_takes_ints_and_conditions():
    @neuron
    class Choose:
        flag = Param(1.0)
        n = State(0, dtype=int)
        up = State(0, dtype=int)
        up.next = where((n > 1) & (flag > 0.5), n, -n)
        n.next = n + 1

    assert ints(Choose, 4)["up"] == [0, -1, 2, 3]
    assert ints(Choose(flag=0.0), 4)["up"] == [0, -1, -2, -3]
    assert lower_neuron(Choose, 1e-3).program.params[0].type is Type.INT


def test_units_of_slots_are_those_the_user_wrote():
    program = lower_neuron(LIF, 1e-4).program
    assert [(s.unit, s.scale) for s in program.states] == [("nA", 1e-9), ("mV", 1e-3), ("", 1.0)]
    assert one.name == ""


def test_numbers_beyond_the_width_are_refused():
    @neuron
    class Big:
        a, b = Param(1e30), Param(1.0)
        x = State(0.0)
        x.next = x + a * b

    lower_neuron(Big(b=1e30), 1e-3, "float64")
    with pytest.raises(LanguageError, match=r"Big: a \* b is 1e\+60 in SI units, which is beyond float32"):
        lower_neuron(Big(b=1e30), 1e-3, "float32")

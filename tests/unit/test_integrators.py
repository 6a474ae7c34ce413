"""Every integrator against a closed form, or against its order of convergence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from neuromorph.errors import LanguageError
from neuromorph.language import Event, Param, Port, State, exp, neuron, normal, sigmoid, sqrt, where, white_noise
from neuromorph.language.expr import Expr, Type, const
from neuromorph.language.neuron import Neuron, StateSpec
from neuromorph.lowering import lower_neuron
from neuromorph.lowering.propagator import exponential, propagator
from neuromorph.simulate import simulate
from neuromorph.units import Hz, Mohm, ms, mV, nA, nF, nS, one, second

DATA = Path(__file__).parents[1] / "data"


@neuron
class Decay:
    """One leaking variable."""

    tau = Param(20 * ms)
    x = State(1.0)
    x.dot = -x / tau


@neuron
class LIF:
    """Leaky integrate-and-fire neuron with a constant current."""

    tau, r, theta, t_ref, drive = Param(20 * ms), Param(10 * Mohm), Param(15 * mV), Param(3 * ms), Param(2 * nA)
    v = State(0 * mV)
    v.dot = (r * drive - v) / tau
    spike = Event(when=v > theta, refractory=t_ref, hold=v)
    v.reset = 0 * mV


@neuron
class Synapse:
    """Two-stage synapse on a membrane: three coupled linear states."""

    arrive = Port()
    tau_r, tau_d, tau_m = Param(2 * ms), Param(5 * ms), Param(20 * ms)
    a, s, v = State(0.0), State(0.0), State(0.0)
    a.jump = arrive
    a.dot = -a / tau_r
    s.dot = (a - s) / tau_d
    v.dot = (s - v) / tau_m


@neuron
class Conductance:
    """Membrane with a leak and one frozen synaptic conductance."""

    c, g_l, e_l, g, e = Param(0.2 * nF), Param(10 * nS), Param(-60 * mV), Param(30 * nS), Param(0 * mV)
    tau_h = Param(1000 * second)
    h = State(1.0)
    v = State(-60 * mV)
    h.dot = -h / tau_h
    v.dot = (g_l * (e_l - v) + g * h * (e - v)) / c


@neuron
class Logistic:
    """The logistic equation, x' = x (1 - x) / tau."""

    tau = Param(10 * ms)
    x = State(0.1)
    x.dot = x * (1 - x) / tau


def values(model, duration, name, **options):
    x = simulate(model, duration, record=[name], **options).states[name]
    return np.asarray(getattr(x, "value", x))


@pytest.mark.parametrize("dt", [0.01, 0.1, 1.0, 30.0, 1000.0])
@pytest.mark.parametrize("method", ["auto", "exact", "exponential_euler"])
def test_decay_is_exact_for_any_step(dt, method):
    x = values(Decay, 5, "x", dt=dt * ms, method=method)
    assert x == pytest.approx(np.exp(-dt / 20 * np.arange(1, 6)), rel=1e-13)


def test_forward_euler_of_decay():
    x = values(Decay, 5, "x", dt=1 * ms, method="euler")
    assert x == pytest.approx((1 - 1 / 20) ** np.arange(1, 6), rel=1e-15)


@pytest.mark.parametrize("drive", [1.6, 2.0, 5.0])
def test_interval_of_a_driven_lif(drive):
    """ISI = t_ref + tau ln(RI / (RI - theta)), up to the step: a spike happens at the first step after the crossing."""
    run = simulate(LIF(drive=drive * nA), 250 * ms, dt=0.02 * ms)
    expected = 3 + 20 * np.log(10 * drive / (10 * drive - 15))
    intervals = np.diff(run.events.times)
    assert len(intervals) > 2
    assert np.all((intervals >= expected - 1e-9) & (intervals <= expected + 0.02 + 1e-9))


def test_two_stage_synapse_closed_form():
    steps, dt = 400, 0.25
    arrive = np.zeros(steps)
    arrive[0] = 1.0
    run = simulate(Synapse, steps, dt=dt * ms, inputs={"arrive": arrive}, method="exact")
    t = dt * np.arange(1, steps + 1)
    assert run.states["a"] == pytest.approx(np.exp(-t / 2), rel=1e-12)
    assert run.states["s"] == pytest.approx(2 / (2 - 5) * (np.exp(-t / 2) - np.exp(-t / 5)), rel=1e-11)
    matrix = np.array([[-1 / 2, 0, 0], [1 / 5, -1 / 5, 0], [0, 1 / 20, -1 / 20]])
    exact = np.array([(expm(matrix * s) @ [1, 0, 0])[2] for s in t])
    assert run.states["v"] == pytest.approx(exact, rel=1e-10)


def test_equal_time_constants_give_the_alpha_function():
    steps = 100
    arrive = np.eye(steps)[0]
    s = simulate(Synapse(tau_r=5 * ms), steps, dt=0.5 * ms, inputs={"arrive": arrive}).states["s"]
    t = 0.5 * np.arange(1, steps + 1)
    assert s == pytest.approx(t / 5 * np.exp(-t / 5), rel=1e-11)


def test_conductance_goes_to_its_fixed_point():
    """With g frozen the membrane relaxes to (g_l e_l + g e) / (g_l + g) with time constant C / (g_l + g)."""
    v = values(Conductance, 200, "v", dt=0.5 * ms, method="exponential_euler")
    t = 0.5e-3 * np.arange(1, 201)
    fixed, tau = -0.060 * 10 / 40, 0.2e-9 / 40e-9
    # h leaks with 1000 s, so it is 1 up to 1e-4 within 0.1 s
    assert v == pytest.approx(fixed + (-0.060 - fixed) * np.exp(-t / tau), abs=2e-6)


def test_auto_mixes_exact_and_exponential():
    program = lower_neuron(Conductance, 1e-4, "float64").program
    names = [slot.name for slot in program.params]
    assert any(name.startswith("exp(h") for name in names), names
    assert "exp(v, v)" not in names
    other = values(Conductance, 50, "v", method="exponential_euler")
    assert values(Conductance, 50, "v") == pytest.approx(other, rel=1e-12)


def test_exact_refuses_what_is_not_linear_and_says_where():
    with pytest.raises(LanguageError, match=r"v: .*h.*not linear") as caught:
        lower_neuron(Conductance.with_method("exact"), 1e-4)
    assert caught.value.states == ("v",)


@pytest.mark.parametrize(("method", "low", "high"), [("euler", 0.9, 1.1), ("exponential_euler", 1.85, 2.2)])
def test_order_of_convergence(method, low, high):
    """Forward Euler is of order 1; with the full Jacobian (one state here) exponential Euler is of order 2."""
    end = 20.0
    exact = 1 / (1 + 9 * np.exp(-end / 10))
    errors = []
    for steps in (20, 40, 80, 160):
        x = values(Logistic, steps, "x", dt=end / steps * ms, method=method)
        errors.append(abs(x[-1] - exact))
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert np.all((orders > low) & (orders < high)), orders


def test_coupled_exponential_euler_is_first_order():
    arrive = np.eye(640)[0]
    exact = simulate(Synapse, 640, dt=0.0625 * ms, inputs={"arrive": arrive}).states["v"][-1]
    errors = []
    for steps in (80, 160, 320):
        run = simulate(
            Synapse, steps, dt=40 / steps * ms, inputs={"arrive": arrive[:steps]}, method="exponential_euler"
        )
        errors.append(abs(run.states["v"][-1] - exact))
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert np.all((orders > 0.85) & (orders < 1.2)), orders


@neuron
class OU:
    """Ornstein-Uhlenbeck process of standard deviation sigma."""

    tau, sigma = Param(10 * ms), Param(2 * mV)
    x = State(0 * mV)
    x.dot = -x / tau + sigma * sqrt(2 / tau) * white_noise()


@pytest.mark.parametrize("dt", [0.1, 5.0, 10.0, 100.0])
def test_noise_has_the_exact_stationary_variance(dt):
    steps = 60
    x = values(OU, steps, "x", dt=dt * ms, n=4000, seed=1)[max(1, int(50 / dt)) :] if dt >= 5 else None
    if x is None:
        # from 0 the variance is sigma**2 (1 - exp(-2 t / tau)) after any number of steps
        x = values(OU, steps, "x", dt=dt * ms, n=20_000, seed=1)[-1]
        assert np.var(x) == pytest.approx(4e-6 * (1 - np.exp(-2 * steps * dt / 10)), rel=0.05)
        return
    assert np.var(x) == pytest.approx(4e-6, rel=0.02)
    # neighbours are correlated by exp(-dt / tau)
    flat = np.corrcoef(x[:-1].ravel(), x[1:].ravel())[0, 1]
    assert flat == pytest.approx(np.exp(-dt / 10), abs=0.02)


@neuron
class FilteredNoise:
    """White noise through two filters: noise enters one state and reaches both."""

    tau_a, tau_b = Param(5 * ms), Param(20 * ms)
    a, b = State(0.0), State(0.0)
    a.dot = -a / tau_a + sqrt(2 / tau_a) * white_noise()
    b.dot = (a - b) / tau_b


@pytest.mark.parametrize("dt", [1.0, 400.0])
def test_noise_through_two_filters_has_the_exact_covariance(dt):
    """Stationary: var a = 1, cov = tau_a / (tau_a + tau_b), var b = the same (Lyapunov equation)."""
    steps = 120 if dt < 10 else 3
    run = simulate(FilteredNoise, steps, dt=dt * ms, n=10_000, seed=4, method="exact")
    covariance = np.cov(run.states["a"][-1], run.states["b"][-1])
    assert covariance == pytest.approx(np.array([[1, 0.2], [0.2, 0.2]]), abs=0.03)


def test_euler_maruyama_of_multiplicative_noise():
    @neuron
    class Geometric:
        """x' = sigma x xi (Ito): the mean stays, E[x**2] grows as exp(sigma**2 t)."""

        sigma = Param(1 / sqrt_second())
        x = State(1.0)
        x.dot = sigma * x * white_noise()

    x = values(Geometric, 100, "x", dt=4 * ms, n=12_000)
    assert np.mean(x[-1]) == pytest.approx(1.0, abs=0.02)
    assert np.mean(x[-1] ** 2) == pytest.approx(np.exp(0.4), rel=0.05)


def sqrt_second():
    return (1 * second) ** 0.5


def test_one_noise_in_two_states_is_one_noise():
    @neuron
    class Shared:
        tau = Param(10 * ms)
        a, b = State(0.0), State(0.0)
        xi = sqrt(2 / tau) * white_noise()
        a.dot = -a / tau + xi
        b.dot = -b / tau + 2 * xi

    for method in ("auto", "euler"):
        run = simulate(Shared, 50, dt=1 * ms, n=50, method=method)
        assert run.states["b"] == pytest.approx(2 * run.states["a"], rel=1e-9, abs=1e-9)


def test_a_noise_shared_with_a_nonlinear_state_stays_one_noise():
    @neuron
    class Mixed:
        tau = Param(10 * ms)
        x, y, z = State(0.0), State(0.0), State(0.0)
        xi, eta = white_noise(), white_noise()
        x.dot = -x / tau + sqrt(2 / tau) * xi
        y.dot = -(y**3) / tau + sqrt(2 / tau) * xi
        z.dot = -z / tau + sqrt(2 / tau) * eta

    run = simulate(Mixed, 1, dt=0.1 * ms, n=200)
    assert run.states["y"] == pytest.approx(run.states["x"], rel=1e-9)
    names = {slot.name for slot in lower_neuron(Mixed, 1e-4).program.params}
    assert "noise(z, 0)" in names
    assert "noise(x, 0)" not in names


def test_methods_follow_one_path_of_a_noise():
    exact, euler = (values(OU, 100, "x", dt=0.05 * ms, seed=3, method=method) for method in ("auto", "euler"))
    assert np.corrcoef(exact, euler)[0, 1] > 0.999


def test_noise_inside_a_function_is_refused():
    @neuron
    class Twisted:
        tau = Param(10 * ms)
        x = State(0.0)
        x.dot = (sigmoid(white_noise() / sqrt(1 * Hz)) - x) / tau

    with pytest.raises(LanguageError, match="noise"):
        lower_neuron(Twisted, 1e-3)


@neuron
class Held:
    """An adaptation variable follows a membrane that stands still while refractory."""

    tau_v, tau_w, t_ref, drive = Param(10 * ms), Param(50 * ms), Param(20 * ms), Param(30.0)
    v, w = State(0.0), State(0.0)
    v.dot = (drive - v - w) / tau_v
    w.dot = (v - w) / tau_w
    spike = Event(when=v > 15.0, refractory=t_ref, hold=v)
    v.reset = 5.0


@pytest.mark.parametrize("method", ["exact", "exponential_euler"])
def test_others_see_a_held_state_at_rest(method):
    run = simulate(Held, 400, dt=0.1 * ms, method=method)
    first = int(run.events.steps[0])
    v, w = run.states["v"], run.states["w"]
    during = slice(first + 1, first + 201)
    assert np.all(v[during] == 5.0)
    assert v[first + 201] != 5.0
    t = 0.1 * np.arange(1, 201)
    assert w[during] == pytest.approx(5 + (w[first] - 5) * np.exp(-t / 50), rel=1e-12)


def linear_neuron(matrix: np.ndarray, drive: np.ndarray) -> Neuron:
    """x' = A x + b from plain nodes, in 1/s."""
    n = len(drive)
    leaves = [Expr("state", (), payload=f"x{i}") for i in range(n)]
    states = []
    for i in range(n):
        rate = const(float(drive[i]))
        for j in range(n):
            rate = Expr("add", (rate, Expr("mul", (const(float(matrix[i, j])), leaves[j]))))
        states.append(StateSpec(f"x{i}", const(1.0 + i), one, Type.FLOAT, dot=rate))
    return Neuron("Linear", "", (), (), tuple(states))


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_random_linear_systems(data):
    n = data.draw(st.integers(1, 4))
    number = st.floats(-200, 200)
    matrix = np.array(data.draw(st.lists(st.lists(number, min_size=n, max_size=n), min_size=n, max_size=n)))
    matrix[np.array(data.draw(st.lists(st.booleans(), min_size=n * n, max_size=n * n))).reshape(n, n)] = 0.0
    drive = np.array(data.draw(st.lists(number, min_size=n, max_size=n)))
    dt = data.draw(st.sampled_from([1e-4, 1e-3, 1e-2]))
    run = simulate(linear_neuron(matrix, drive), 3, dt=dt * second)
    augmented = np.zeros((n + 1, n + 1))
    augmented[:n, :n], augmented[:n, n] = matrix, drive
    start = np.append(1.0 + np.arange(n), 1.0)
    for k in range(3):
        exact = (expm(augmented * dt * (k + 1)) @ start)[:n]
        got = np.array([run.states[f"x{i}"][k] for i in range(n)])
        assert np.allclose(got, exact, rtol=1e-9, atol=1e-9 * np.abs(exact).max())


def test_against_an_ode_solver():
    run = simulate(Held(drive=12.0), 300, dt=0.5 * ms)
    solution = solve_ivp(
        lambda t, x: [(12.0 - x[0] - x[1]) / 0.01, (x[0] - x[1]) / 0.05], (0, 0.15), [0, 0], rtol=1e-10, atol=1e-12
    )
    assert run.states["v"][-1] == pytest.approx(solution.y[0, -1], rel=1e-7)
    assert run.states["w"][-1] == pytest.approx(solution.y[1, -1], rel=1e-7)


def test_propagator_of_singular_systems():
    """x' = u, y' = x: an integrator chain has no inverse, and P = [[1, 0], [h, 1]], F = [[h, 0], [h**2/2, h]]."""
    h = 0.01
    made = propagator(np.array([[[0.0, 0.0], [1.0, 0.0]]]), np.array([[[1.0], [0.0]]]), h)
    assert made.state[0] == pytest.approx(np.array([[1, 0], [h, 1]]))
    assert made.drive[0] == pytest.approx(np.array([[h, 0], [h**2 / 2, h]]))
    covariance = made.noise[0] @ made.noise[0].T
    assert covariance == pytest.approx(np.array([[h, h**2 / 2], [h**2 / 2, h**3 / 3]]), rel=1e-9)


def test_propagator_keeps_its_digits_in_si_units():
    """Currents of 1e-10 A beside volts: couplings of 1e9 must not cost accuracy."""
    h, tau_v, tau_i, r = 1e-4, 0.02, 0.005, 1e8
    matrix = np.array([[[-1 / tau_i, 0], [r / tau_v, -1 / tau_v]]])
    made = propagator(matrix, np.zeros((1, 2, 0)), h)
    exact = r * tau_i / (tau_i - tau_v) * (np.exp(-h / tau_i) - np.exp(-h / tau_v))
    assert made.state[0, 1, 0] == pytest.approx(exact, rel=1e-11)


def test_parameters_per_neuron_have_propagators_of_their_own():
    taus = np.array([5.0, 20.0, 5.0, 80.0])
    arrive = np.tile(np.eye(60)[0][:, None], 4)
    together = simulate(Synapse(tau_m=taus * ms), 60, dt=1 * ms, n=4, inputs={"arrive": arrive}).states["v"]
    for k, tau in enumerate(taus):
        alone = simulate(Synapse(tau_m=tau * ms), 60, dt=1 * ms, inputs={"arrive": arrive[:, 0]}).states["v"]
        assert together[:, k] == pytest.approx(alone, rel=1e-13)


def test_inputs_and_frozen_states_drive_exactly():
    """Ports, functions of them and states without dynamics are constant over a step."""

    @neuron
    class Driven:
        u = Port()
        tau, tau_u = Param(10 * ms), Param(30 * ms)
        level, x, y = State(2.0), State(0.0), State(0.0)
        x.dot = (sigmoid(u) + level - x) / tau + u / tau_u
        y.dot = (x - y) / tau
        level.next = level + 1

    u = np.array([0.3, -1.0, 2.0])
    run = simulate(Driven, 3, dt=4 * ms, inputs={"u": u}, method="exact")
    state, level = np.zeros(2), 2.0
    matrix = np.array([[-100.0, 0.0], [100.0, -100.0]])
    for k in range(3):
        drive = np.array([(1 / (1 + np.exp(-u[k])) + level) / 0.01 + u[k] / 0.03, 0.0])
        p = expm(matrix * 0.004)
        state = p @ state + np.linalg.solve(matrix, (p - np.eye(2)) @ drive)
        level += 1
        assert [run.states["x"][k], run.states["y"][k]] == pytest.approx(state, rel=1e-12)


def test_exponential_euler_of_a_stiff_upstroke_stays_a_number():
    @neuron
    class Upstroke:
        tau = Param(10 * ms)
        x = State(1.0)
        x.dot = exp(x) / tau
        spike = Event(when=x > 100.0)
        x.reset = 0.0

    run = simulate(Upstroke, 200, dt=1 * ms)
    assert len(run.events) > 2
    assert np.all(np.isfinite(run.states["x"]))


def test_piecewise_slopes():
    @neuron
    class Hinge:
        tau = Param(10 * ms)
        x = State(-1.0)
        x.dot = where(x < 0, -x, 1 - x) / tau

    x = values(Hinge, 2, "x", dt=1 * ms)
    assert x[0] == pytest.approx(-np.exp(-0.1), rel=1e-12)


def test_draws_of_next_are_new_in_every_step():
    @neuron
    class Draws:
        x, y = State(0.0), State(0.0)
        x.next = normal()
        y.next = normal()

    run = simulate(Draws, 400, n=10, dt=1 * ms)
    x, y = run.states["x"], run.states["y"]
    assert len(np.unique(x)) == x.size
    assert abs(np.corrcoef(x.ravel(), y.ravel())[0, 1]) < 0.05


@neuron(method="euler")
class NIRLIF:
    """LIF of the NIR paper: tau v' = (v_leak - v) + r i."""

    i = Port()
    tau, r, v_leak, theta = Param(2.5 * ms), Param(1.0), Param(0.0), Param(0.1)
    v = State(0.0)
    v.dot = (v_leak - v + r * i) / tau
    spike = Event(when=v > theta)
    v.reset = 0.0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_voltage_and_spikes_of_norse(dtype):
    table = np.loadtxt(DATA / "nir_lif" / "lif_norse.csv", delimiter=",")
    run = simulate(NIRLIF, 1000, dt=0.1 * ms, inputs={"i": table[:, 0]}, dtype=dtype)
    assert run.states["v"] == pytest.approx(table[:, 1], abs=1e-6)
    assert list(run.events.steps) == [460, 510, 710, 760]
    assert list(np.flatnonzero(table[:, 2])) == [460, 510, 710, 760]


@given(st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_matrix_exponentials_of_many_sizes_at_once(n, seed):
    rng = np.random.default_rng(seed)
    many = rng.normal(size=(5, n, n)) * 10.0 ** rng.uniform(-6, 1.3, (5, 1, 1)) - 2 * np.eye(n)
    many[0] = np.triu(many[0], 1)  # nilpotent
    for got, matrix in zip(exponential(many), many, strict=True):
        exact = expm(matrix)
        assert np.allclose(got, exact, rtol=1e-10, atol=1e-12 * np.abs(exact).max())

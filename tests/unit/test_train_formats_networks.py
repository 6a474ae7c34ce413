"""Networks in few bits: what comes back from training, events that are rounded in a recurrence, noise on weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuromorph import CPU, Dense, Live, Network, ms, mV
from neuromorph.errors import NetworkError
from neuromorph.language import Event, Param, Port, State, floor, minimum, neuron, rint
from neuromorph.models import EGRUEvNNCoded, LIFDelta, classifier, digits, mnist, perceptron
from neuromorph.network import uniform_grid
from neuromorph.network.builders import build_each

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402
from torch.nn.utils import parametrize  # noqa: E402

from neuromorph import train  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_torch_thread")


def egru(dtype: type = np.float64) -> Network:
    """Units whose events are multiples of 1/7, in a recurrence, that are given graded events."""
    rng = np.random.default_rng(3)
    net = Network(seed=1, name="net")
    source = net.population(Live(5, graded=True), name="in")
    zeros = np.zeros(8)
    model = EGRUEvNNCoded(b_u=zeros, b_r=zeros, b_x=zeros, b_y=zeros, theta=0.1, start=1, quantum=1 / 7, top=7.0)
    layer = net.population(model, 8, name="egru")
    for port in ("a_u", "a_r", "a_x"):
        net.project(source, layer.port(port), Dense(rng.normal(0, 1, (5, 8))), name=port)
    for port in ("a_u", "a_r", "a_y"):
        net.project(layer, layer.port(port), Dense(rng.normal(0, 0.7, (8, 8))), name=f"r{port}")
    return net


def given_events(steps: int = 20, batch: int = 2) -> Tensor:
    rng = np.random.default_rng(5)
    return torch.from_numpy(rng.normal(0, 1, (steps, batch, 5)) * (rng.random((steps, batch, 5)) < 0.5))


FORMATS = {
    "asymmetric": lambda: train.Asymmetric(4),
    "pact": lambda: train.PACT(4, signed=True),
    "lsq": lambda: train.LSQ(4),
    "tqt": lambda: train.TQT(4),
    "integers": lambda: train.Integers(5),
}


@pytest.mark.parametrize("name", FORMATS)
def test_a_network_comes_back_in_whole_numbers(name: str) -> None:
    """What training used, codes of the format, and the whole numbers that a target finds again are the same."""
    module = train.Module(egru(), 1 * ms, outputs=["egru"], trainable={"egru": ["quantum"]})
    train.parametrise(module, lambda: train.Quantised(FORMATS[name]()))
    parametrize.register_parametrization(module.population("egru"), "b_x", train.Quantised(FORMATS[name]()))
    optimiser = torch.optim.Adam(module.parameters(), 0.02)
    for _ in range(3):
        y, _ = module(given_events().float())
        optimiser.zero_grad()
        (y["egru"].mean() - 1).square().backward()
        optimiser.step()
    module.eval()
    found, network = train.codes(module), module.network()
    assert len(found) == 6
    for projection, built in zip(network.projections, build_each(network, 1e-3, dtype="float32"), strict=True):
        weight, codes = module.projection(projection.name).weight, found[projection.name]
        assert torch.equal(codes.values(), weight)
        grid = uniform_grid(built.weights.reshape(weight.shape), 15)
        assert grid is not None
        assert grid.exact
        multiple = round(grid.scale / float(codes.scale))
        assert grid.scale == pytest.approx(multiple * float(codes.scale), rel=1e-6)
        assert np.array_equal(grid.codes * multiple, codes.levels.numpy())
        assert int(codes.levels.abs().max()) <= 15
    bias = np.asarray(dict(network["egru"].neuron.values)["b_x"], np.float32)
    assert np.abs(bias).max() > 0
    assert uniform_grid(bias, 15) is not None


def test_weights_of_a_unit_come_back_in_whole_numbers() -> None:
    net = Network(name="volts")
    source = net.population(Live(6), name="in")
    out = net.population(LIFDelta(), 4, name="out")
    net.project(source, out.v_in, Dense(np.random.default_rng(0).normal(0, 3, (6, 4)) * mV), name="w")
    module = train.Module(net, 1 * ms)
    train.parametrise(module, lambda: train.Quantised(train.LSQ(4)))
    built = next(iter(build_each(module.network(), 1e-3, dtype="float32")))
    grid = uniform_grid(built.weights.reshape(6, 4), 8)
    assert grid is not None
    assert np.array_equal(grid.codes, train.codes(module)["w"].levels.numpy())


@given(st.integers(1, 60), st.floats(1e-6, 1e4), st.integers(0, 1000), st.sampled_from([np.float32, np.float64]))
@settings(max_examples=60)
def test_uniform_grid_finds_the_numbers(most: int, scale: float, seed: int, kind: type) -> None:
    levels = np.random.default_rng(seed).integers(-most, most + 1, (9, 4))
    weights = levels.astype(kind) * kind(scale)
    grid = uniform_grid(weights, most)
    assert grid is not None
    assert grid.exact
    factor = np.gcd.reduce(np.abs(levels).ravel()) or 1  # the coarsest grid
    assert np.array_equal(grid.codes * factor, levels)
    assert np.array_equal(grid.codes.astype(kind) * kind(grid.scale), weights)


def test_uniform_grid_takes_nothing_else() -> None:
    rng = np.random.default_rng(0)
    assert uniform_grid(rng.normal(size=(30, 30)), 127) is None
    assert uniform_grid(rng.normal(size=5), 127) is None
    assert uniform_grid(np.array([1.0, np.nan]), 7) is None
    assert uniform_grid(np.arange(-8.0, 9), 7) is None
    silent = uniform_grid(np.zeros((2, 3)), 7)
    assert silent is not None
    assert (silent.scale, silent.codes.shape) == (1.0, (2, 3))
    # the first numbers fit, the rest does not
    assert uniform_grid(np.concatenate([np.ones(1 << 15), rng.normal(size=100)]), 7) is None


def test_events_are_rounded_within_a_recurrence() -> None:
    net, x = egru(), given_events()
    module = train.Module(net, 1 * ms, dtype=torch.float64, outputs=["egru"])
    y, _ = module(x)
    values = y["egru"].detach().numpy()
    codes = np.rint(values * 7)
    assert np.array_equal(values, codes * np.float64(1 / 7))
    assert len(np.unique(codes)) > 3
    run = CPU("float64").compile(net, dt=1 * ms, progress=False)
    batch = run.run_batch({"in": x.transpose(0, 1).numpy()}, 21)
    assert int(batch.counts["egru"].sum()) == int((values != 0).sum())
    assert train.compare(module, x, CPU("float64")).equal


@neuron
class Rounded:
    """Adds up rounded sums: an integrator behind a converter."""

    a = Port()
    lsb, keep, b = Param(0.25), Param(0.5), Param(0.0)
    v = State(0.0)

    read = rint(minimum((a + b) / lsb, 3.0)) * lsb
    v.next = keep * v + read
    out = Event(when=v > -100, value=v)


@neuron
class Floored:
    """The same with a rounding that has no gradient."""

    a = Port()
    lsb, keep, b = Param(0.25), Param(0.5), Param(0.0)
    v = State(0.0)

    v.next = keep * v + floor((a + b) / lsb) * lsb
    out = Event(when=v > -100, value=v)


def one_population(model: Any) -> train.Module:
    net = Network()
    source = net.population(Live(3, graded=True), name="in")
    layer = net.population(model(b=np.zeros(4)), 4, name="layer")
    net.project(source, layer.a, Dense(np.random.default_rng(0).normal(size=(3, 4))), name="w")
    return train.Module(net, 1 * ms, dtype=torch.float64, outputs=["layer"], trainable={"layer": ["lsb"]})


def test_gradient_passes_rounding_in_a_neuron() -> None:
    """As LSQ's: in closed form by autograd over the same sums with a format's gradient."""
    module = one_population(Rounded)
    x = torch.from_numpy(np.random.default_rng(1).normal(size=(6, 2, 3)))
    factors = torch.from_numpy(np.random.default_rng(2).normal(size=(6, 2, 4)))
    y, _ = module(x)
    y["layer"].backward(factors)
    weight = module.projection("w").weight.detach().clone().requires_grad_()
    lsb = torch.tensor(0.25, dtype=torch.float64, requires_grad=True)
    v, found = torch.zeros(2, 4, dtype=torch.float64), []
    for row in x:
        q = (row @ weight) / lsb
        q = torch.where(q < 3, q, 3.0)
        v = 0.5 * v + train.straight_through(q, q.detach().round()) * lsb
        found.append(v)
    torch.testing.assert_close(y["layer"], torch.stack(found))
    torch.stack(found).backward(factors)
    torch.testing.assert_close(module.projection("w").weight.grad, weight.grad)
    torch.testing.assert_close(module.population("layer").lsb.grad, lsb.grad)
    floored = one_population(Floored)
    floored(x)[0]["layer"].backward(factors)
    assert not floored.projection("w").weight.grad.any()


def small_perceptron() -> Network:
    """The perceptron with few neurons and biases that are not zero."""
    rng = np.random.default_rng(0)
    net = perceptron.perceptron((6, 5), seed=1)
    values = classifier.parameters(net)
    biased = {k: rng.normal(0, 0.2, v.shape).astype(np.float32) if k.endswith(".b") else v for k, v in values.items()}
    return classifier.with_parameters(net, biased)


def evidence(net: Network, dtype: Any = "float32") -> np.ndarray[Any, Any]:
    program = CPU(dtype, threads=1).compile(net, dt=1 * ms, progress=False)
    return perceptron.classify(program, images()).evidence


def images() -> np.ndarray[Any, Any]:
    return np.random.default_rng(7).integers(0, 256, (12, 784)).astype(np.uint8)


def test_rectifiers_are_those_of_any_framework() -> None:
    net = small_perceptron()
    found = evidence(net, "float64")
    values = classifier.parameters(net)
    x = perceptron.code(images())[:, 0].astype(np.float64)
    for k, (w, b) in enumerate(zip([p.name for p in net.projections], ["hidden1", "hidden2", "digits"], strict=True)):
        x = x @ values[w] + values[f"{b}.b"]
        x = np.maximum(x, 0) if k < 2 else x
    np.testing.assert_allclose(found, x, rtol=1e-6)


@pytest.mark.parametrize("bits", [2, 4])
def test_rectifiers_that_round_are_the_format_behind_rectifiers(bits: int) -> None:
    net = small_perceptron()
    module = train.Module(net, 1 * ms, dtype=torch.float64, outputs=["digits"])
    formats = {"hidden1": train.LSQ(bits, signed=False, size=6), "hidden2": train.TQT(bits, signed=False)}
    for name, format in formats.items():
        module.after(name, train.Quantised(format))
    x = torch.from_numpy(perceptron.code(images())).transpose(0, 1).double()
    y, _ = module(x)
    quanta = {name: float(format.codes(torch.ones(1)).scale) for name, format in formats.items()}
    rounding = perceptron.coded(net, quanta, 2**bits - 1)
    assert {type(p.neuron).__name__ for p in rounding.populations} == {"Live", "Neuron"}
    np.testing.assert_allclose(evidence(rounding, "float64"), y["digits"][0].detach().numpy(), rtol=1e-6)
    again = train.Module(rounding, 1 * ms, dtype=torch.float64, outputs=["digits"])
    torch.testing.assert_close(again(x)[0]["digits"], y["digits"], rtol=1e-6, atol=1e-9)


def test_a_quantum_learns_as_a_step_where_events_are_sent() -> None:
    net = perceptron.coded(small_perceptron(), {"hidden1": 0.3}, 3)
    module = train.Module(net, 1 * ms, dtype=torch.float64, outputs=["hidden1"], trainable={"hidden1": ["quantum"]})
    x = torch.from_numpy(perceptron.code(images())).transpose(0, 1).double()
    y, _ = module(x)
    factors = torch.from_numpy(np.random.default_rng(2).normal(size=y["hidden1"].shape))
    y["hidden1"].backward(factors)
    q = (x @ module.projection("pixels -> hidden1").weight + module.population("hidden1").b).detach() / 0.3
    codes = q.clamp(0, 3).round()
    torch.testing.assert_close(y["hidden1"], codes * 0.3)
    inside = (q < 3) & (codes > 0)
    assert inside.any()
    assert (q >= 3).any()
    slope = torch.where(inside, codes - q, torch.where(q >= 3, 3.0, 0.0))
    torch.testing.assert_close(module.population("hidden1").quantum.grad, (slope * factors).sum())
    torch.testing.assert_close(module.population("hidden1").b.grad, (inside * factors).sum((0, 1)))


def test_a_perceptron_of_few_bits_is_kept_as_whole_numbers(tmp_path: Path) -> None:
    net = small_perceptron()
    with pytest.raises(NetworkError, match=r"hidden1\.b is not of whole numbers up to 15"):
        perceptron.save(tmp_path / "float.h5", net, 15, {})
    values = {k: np.rint(v * 4).clip(-15, 15).astype(np.float32) * np.float32(0.3) for k, v in _values(net).items()}
    quanta = {"hidden1": 0.1, "hidden2": 0.2}
    kept = perceptron.coded(classifier.with_parameters(net, values), quanta, 15)
    perceptron.save(tmp_path / "net.h5", kept, 15, {"bits": 4})
    again = perceptron.load(tmp_path / "net.h5")
    assert {k: v.tolist() for k, v in _values(again).items()} == {k: v.tolist() for k, v in values.items()}
    assert [type(p.neuron) for p in again.populations] == [type(p.neuron) for p in kept.populations]
    assert np.array_equal(evidence(kept), evidence(again))


def _values(net: Network) -> dict[str, Any]:
    return {name: np.asarray(value) for name, value in classifier.parameters(net).items()}


def test_the_trained_perceptron_is_of_four_bits() -> None:
    net = perceptron.trained()
    assert [p.size for p in net.populations] == [784, 128, 64, 10]
    for name, value in _values(net).items():
        grid = uniform_grid(np.asarray(value, np.float32), 15)
        assert grid is not None, name
        assert grid.exact
    for name in ("hidden1", "hidden2"):
        assert dict(net[name].neuron.values)["top"] == 15.0
    (pictures, labels), (_, held_out) = digits.images(), digits.split(0)
    some = held_out[:500]
    program = CPU(threads=1).compile(net, dt=1 * ms, progress=False)
    assert perceptron.classify(program, pictures[some]).accuracy(labels[some]) > 0.95


def test_weight_noise_is_what_it_says() -> None:
    torch.manual_seed(0)
    layer = nn.Linear(200, 100)
    with torch.no_grad():
        layer.weight[:, :100] = 0
        layer.weight[0, 150] = 2.0
    before = layer.weight.detach().clone()
    parametrize.register_parametrization(layer, "weight", train.WeightNoise(0.05))
    first, second = layer.weight.detach() - before, layer.weight.detach() - before
    assert not torch.equal(first, second)
    assert first.std().item() == pytest.approx(0.05 * 2.0, rel=0.02)
    assert first.mean().item() == pytest.approx(0, abs=0.005)
    layer.weight.sum().backward()
    assert torch.equal(layer.parametrizations.weight.original.grad, torch.ones(100, 200))
    layer.eval()
    assert torch.equal(layer.weight, before)
    device = nn.Linear(200, 100)
    with torch.no_grad():
        device.weight[:, :100] = 0
    known = device.weight.detach().clone()
    noise = train.WeightNoise(lambda w: 0.1 * w.abs() + 0.01, zeros=False)
    parametrize.register_parametrization(device, "weight", noise)
    error = (device.weight.detach() - known) / (0.1 * known.abs() + 0.01)
    assert (error[:, :100] == 0).all()
    assert error[:, 100:].std().item() == pytest.approx(1, rel=0.03)
    assert "zeros=False" in repr(device)


def test_training_with_noise_keeps_more_under_noise() -> None:
    """Digits on cells that miss their weights by a fifth of the largest."""
    pictures, labels = mnist.images()[:4000], torch.from_numpy(mnist.labels()[:4000].astype(np.int64))
    x = torch.from_numpy(perceptron.code(pictures)).transpose(0, 1)

    def accuracy(noise: float) -> float:
        torch.manual_seed(0)
        module = train.Module(perceptron.perceptron((32,)), 1 * ms, surrogate=train.Rectangle(1e-3))
        if noise:
            train.parametrise(module, lambda: train.WeightNoise(noise))
        optimiser = torch.optim.Adam(module.parameters(), 5e-3)
        for batch in [b for _ in range(4) for b in torch.randperm(3000).split(100)]:
            optimiser.zero_grad()
            nn.functional.cross_entropy(module(x[:, batch])[0]["digits"][-1], labels[batch]).backward()
            optimiser.step()
        chip, right = train.Module(module.network(), 1 * ms), []
        exact = [(each.weight, each.weight.detach().clone()) for each in chip.projections]
        with torch.no_grad():
            for _ in range(10):
                for held, weight in exact:
                    held.copy_(weight + 0.2 * weight.abs().max() * torch.randn_like(weight))
                verdict = chip(x[:, 3000:])[0]["digits"][-1]
                right.append(float(train.correct(verdict, labels[3000:]).double().mean()))
        return float(np.mean(right))

    assert accuracy(0.2) > accuracy(0.0) + 0.04


def test_cells_hold_the_numbers_that_training_made() -> None:
    """No second rounding between training and a chip: signed levels of pairs of 4-bit cells are the format's."""
    from neuromorph.mapping.crossbar import Crossbar
    from neuromorph.mapping.crossbar.machine.effects import Effects

    net = perceptron.trained()
    chip = Crossbar("nor_flash", effects=Effects.none().with_(quantise=True))
    program = chip.compile(net, dt=1 * ms, progress=False)
    for matrix, projection in zip(program.plan.matrices, net.projections, strict=True):
        weights = np.asarray(_values(net)[projection.name], np.float32)
        grid = uniform_grid(weights, 15)
        assert grid is not None
        wider = 15 // int(np.abs(grid.codes).max())
        assert np.array_equal(matrix.dense(), grid.codes * wider)
        assert matrix.scale == grid.scale / wider
    assert (program.chip.scale == 1).all()
    assert not program.chip.clipped.any()
    found = perceptron.classify(program, images()).evidence
    np.testing.assert_allclose(found, evidence(net), rtol=1e-4, atol=1e-4)

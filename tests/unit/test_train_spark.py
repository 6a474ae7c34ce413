"""Training under SPARK: its numbers are the codec's, its gradients those that are documented."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuromorph.errors import NetworkError

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402
from torch.nn.utils import parametrize  # noqa: E402

from neuromorph import Dense, Live, Network, formats, ms, train  # noqa: E402
from neuromorph.formats.report import bits_report  # noqa: E402
from neuromorph.lowering import lower  # noqa: E402
from neuromorph.models import LeakyIntegrator  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_torch_thread")

ROUNDINGS, SIGNS = ("paper", "nearest"), ("plane", "twos_complement", "unsigned")
LIMITS = {"plane": (-255, 255), "twos_complement": (-128, 127), "unsigned": (0, 255)}


def numbers(dtype: torch.dtype = torch.float32, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).laplace(0, 0.2, (40, 7))).to(dtype)


def in_numpy(x: Tensor, rounding: Any, sign: Any, scale: float) -> np.ndarray[Any, Any]:
    """What SPARK keeps, by the definition: codes, table, scale."""
    table, (low, top) = formats.spark_table(rounding).astype(int), LIMITS[sign]
    q = np.clip(np.rint(x.double().numpy() / scale), low, top).astype(int)
    if sign == "twos_complement":
        return (table[q % 256] + 128) % 256 - 128
    return np.sign(q) * table[np.abs(q)]


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_every_code_is_the_tables(rounding: Any, sign: Any) -> None:
    low, top = LIMITS[sign]
    x = torch.arange(float(low), top + 1)
    format = train.Spark(rounding, sign=sign, scale=1.0)
    np.testing.assert_array_equal(format(x).numpy(), in_numpy(x, rounding, sign, 1.0))
    assert torch.equal(format(2 * x), format((2 * x).clamp(low, top))), "what is beyond becomes the last code"
    assert torch.equal(format(format(x)), format(x)) or sign == "twos_complement"


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_the_numbers_are_the_codecs(rounding: Any, sign: Any, dtype: torch.dtype) -> None:
    x = numbers(dtype).abs() if sign == "unsigned" else numbers(dtype)
    found = train.Spark(rounding, sign=sign)
    codec = formats.Spark(rounding=rounding, sign=sign)
    stored = codec.encode(x.numpy())
    np.testing.assert_allclose(found(x).detach().double(), stored.decode(), rtol=3e-7 if dtype == torch.float32 else 0)
    codes = found.codes(x)
    assert float(codes.scale) == pytest.approx(float(stored.scale), rel=1e-7)
    np.testing.assert_array_equal(codes.codes.numpy(), in_numpy(x, rounding, sign, float(codes.scale)))


def test_by_channel_is_the_codecs() -> None:
    x = numbers(torch.float64)
    found = train.Spark(channels=7)
    stored = formats.Spark().encode(x.numpy(), axis=1)
    np.testing.assert_allclose(found(x).numpy(), stored.decode(), rtol=1e-15)
    np.testing.assert_allclose(found.codes(x).scale.numpy().ravel(), stored.scale)
    assert torch.equal(found(x)[:, 3], train.Spark()(x[:, 3]))
    with pytest.raises(NetworkError, match=r"Spark: made for 7 channels along axis -1, given .*\(7, 40\)"):
        found(x.t())


@given(st.lists(st.floats(-(2.0**99), 2.0**99, width=32), min_size=1, max_size=20), st.sampled_from(ROUNDINGS))
@settings(max_examples=60, deadline=None)
def test_what_spark_keeps_it_keeps(values: list[float], rounding: Any) -> None:
    x, format = torch.tensor(values), train.Spark(rounding)
    once = format(x)
    codes = format.codes(x)
    assert torch.equal(codes.values(), once)
    assert codes.codes.abs().max() <= 255
    assert torch.equal(format.codes(once).codes, codes.codes), "the same codes, once stored"
    assert torch.equal(format(-x), -once)
    assert ((once == 0) | (torch.sign(once) == torch.sign(x))).all()
    error = ((once - x) / codes.scale).abs()
    assert float(error.max()) <= 16.5 + 1e-3


def test_zero_and_one_number_are_exact() -> None:
    format = train.Spark()
    assert torch.equal(format(torch.zeros(3, 2)), torch.zeros(3, 2))
    assert torch.equal(format(torch.tensor(-0.37)), torch.tensor(-0.37))
    assert format(torch.zeros(0, 4)).shape == (0, 4)
    assert torch.equal(train.Spark(sign="unsigned")(torch.tensor([-3.0, 0.0])), torch.zeros(2))


def test_fewer_large_codes_make_more_short_ones() -> None:
    x = numbers()
    shares = [float((train.Spark(largest=k).codes(x).codes.abs() < 8).float().mean()) for k in (255, 111, 47, 15)]
    assert shares == sorted(shares)
    assert shares[0] < 0.5 < 0.9 < shares[-1]
    exact = train.Spark(largest=15).codes(x)
    assert int(exact.codes.abs().max()) == 15
    assert float((exact.values() - x).abs().max()) <= float(exact.scale) / 2 * (1 + 1e-5), "nothing to 15 is lossy"


def test_gradients_pass_inside_and_stop_beyond() -> None:
    x = numbers().requires_grad_()
    weights = torch.from_numpy(np.random.default_rng(1).normal(size=(40, 7))).float()
    train.Spark()(x).backward(weights)
    assert torch.equal(x.grad, weights)
    x = torch.tensor([-1.0, 0.5, 1.0, 25.5, 26.0], requires_grad=True)
    train.Spark(scale=0.1, sign="unsigned")(x).backward(torch.ones(5))
    assert x.grad.tolist() == [0, 1, 1, 1, 0]


@pytest.mark.parametrize("channels", [None, 7])
def test_a_learned_scale_by_its_formula(channels: int | None) -> None:
    x = numbers(torch.float64).requires_grad_()
    format = train.Spark(scale="learned", channels=channels)
    format(x)
    largest = x.detach().abs().amax(None if channels is None else 0)
    np.testing.assert_allclose(format.step.detach().numpy(), largest.numpy() / 255, rtol=1e-7)
    with torch.no_grad():
        format.step.mul_(0.4)  # so that some are beyond
    weights = np.random.default_rng(2).normal(size=(40, 7))
    y = format(x)
    y.backward(torch.from_numpy(weights))
    step = np.broadcast_to(format.step.detach().double().numpy(), 7)
    q = x.detach().numpy() / step
    table = formats.spark_table("paper").astype(float)
    whole = np.clip(np.rint(q), -255, 255)
    decoded = np.sign(whole) * table[np.abs(whole).astype(int)]
    np.testing.assert_allclose(y.detach().numpy(), decoded * step, rtol=1e-12)
    inside = np.abs(q) < 255
    assert 0 < inside.mean() < 1
    np.testing.assert_allclose(x.grad.numpy(), weights * inside)
    each = weights * np.where(inside, decoded - q, np.sign(q) * 255)
    expected = each.sum() / math.sqrt(280 * 255) if channels is None else each.sum(0) / math.sqrt(40 * 255)
    np.testing.assert_allclose(format.step.grad.numpy(), expected, rtol=1e-5)


def test_a_layer_learns_under_the_code_and_goes_on_from_a_checkpoint() -> None:
    """What is trained under SPARK has less error than what is rounded to it afterwards."""
    torch.manual_seed(0)
    target = torch.randn(12, 6)
    x = torch.randn(64, 12)
    y = x @ target

    def loss(layer: nn.Module) -> Tensor:
        return ((layer(x) - y) ** 2).mean()

    def coarse() -> nn.Module:
        layer = nn.Linear(12, 6, bias=False)
        with torch.no_grad():
            layer.weight.copy_(target.t())
        parametrize.register_parametrization(layer, "weight", train.Quantised(train.Spark(scale="learned", largest=47)))
        return layer

    layer = coarse()
    first = float(loss(layer).detach())
    optimiser = torch.optim.Adam(layer.parameters(), 3e-3)
    for _ in range(60):
        optimiser.zero_grad()
        loss(layer).backward()
        optimiser.step()
    assert float(loss(layer).detach()) < 0.7 * first
    other = coarse()
    other.load_state_dict(layer.state_dict())
    assert torch.equal(loss(other), loss(layer))


def coded_module(code: train.Spark) -> train.Module:
    """One projection, 9 to 6, under the code."""
    net = Network(name="coded")
    source, cells = net.population(Live(9), name="in"), net.population(LeakyIntegrator(tau_s=1 * ms), 6, name="out")
    net.project(source, cells.i_in, Dense(numbers().numpy()[:9, :6]), name="w")
    module = train.Module(net, dt=1 * ms, outputs=["out.v"])
    train.parametrise(module, lambda: train.Quantised(code))
    return module


def test_targets_store_the_codes_that_training_saw() -> None:
    """``weights="spark"`` finds, in the floats behind a trained module, its codes and scale bit for bit."""
    module = coded_module(train.Spark())
    codes = train.codes(module)["w"]
    with train.unquantised(module):
        floats = module.network()
    (stored,) = lower(floats, 1e-3, weights="spark").projections
    np.testing.assert_array_equal(np.asarray(stored.weights).reshape(9, 6), codes.codes.numpy())
    assert stored.weight_scale == float(codes.scale)
    (again,) = lower(module.network(), 1e-3, weights="spark").projections
    np.testing.assert_array_equal(again.weights, stored.weights)


@pytest.mark.parametrize("largest", [47, 15])
def test_targets_keep_the_few_bits_that_training_left(largest: int) -> None:
    """Where the largest code is small, the network under the code is stored by the scale that it was trained with."""
    module = coded_module(train.Spark(largest=largest))
    learned = train.codes(module)["w"]
    (stored,) = lower(module.network(), 1e-3, weights="spark").projections
    assert np.abs(stored.weights).max() == int(learned.codes.abs().max()) <= largest
    assert stored.weight_scale == float(learned.scale)
    report = bits_report(module.network(), ["spark"])["w"].formats["spark"]
    assert report.rms_error == 0
    assert report.bits_per_value == pytest.approx(1 + float(formats.spark_length()[np.abs(stored.weights)].mean()))


def test_what_is_none_is_refused() -> None:
    with pytest.raises(NetworkError, match="sign is 'both'; choose plane"):
        train.Spark(sign="both")  # type: ignore[arg-type]
    with pytest.raises(NetworkError, match="scale is 'max'; choose"):
        train.Spark(scale="max")  # type: ignore[arg-type]
    with pytest.raises(NetworkError, match="scale is -1"):
        train.Spark(scale=-1.0)
    with pytest.raises(NetworkError, match="largest code 255; choose 1 to 127"):
        train.Spark(sign="twos_complement", largest=255)
    assert repr(train.Spark(largest=47)) == "Spark(rounding='paper', sign='plane', scale='absmax', largest=47)"

"""Formats that learn: forward, gradients and first values by the papers' formulas, codes, and state that resumes."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuromorph.errors import NetworkError, TrainingError

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402
from torch.nn.utils import parametrize  # noqa: E402

from neuromorph import train  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_torch_thread")

FORMATS: dict[str, Callable[[], nn.Module]] = {
    "pact": lambda: train.PACT(4),
    "pact signed": lambda: train.PACT(4, signed=True),
    "lsq": lambda: train.LSQ(4),
    "lsq unsigned": lambda: train.LSQ(3, signed=False),
    "lsq channels": lambda: train.LSQ(4, channels=7),
    "tqt": lambda: train.TQT(4),
    "tqt unsigned": lambda: train.TQT(2, signed=False),
    "asymmetric": lambda: train.Asymmetric(4),
    "asymmetric channels": lambda: train.Asymmetric(3, channels=7, thresholds="min-max"),
    "asymmetric percentile": lambda: train.Asymmetric(4, thresholds="percentile", tail=0.05),
}


def numbers(seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    made = np.random.default_rng(seed).normal(0.02, 0.3, (30, 7))
    return torch.from_numpy(made).to(dtype)


class Stateless(nn.Module):
    """A layered network as the trainer calls modules."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor, state: None) -> tuple[Tensor, None]:
        return self.net(x), None


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", FORMATS)
def test_zero_stays_and_codes_are_the_numbers(name: str, dtype: torch.dtype) -> None:
    format, x = FORMATS[name](), numbers(dtype=dtype)
    y, found = format(x).detach(), format.codes(x)
    assert y.dtype == found.scale.dtype == dtype
    assert torch.equal(found.values(), y)
    assert found.codes.dtype == torch.int64
    assert found.low <= found.codes.min() <= found.codes.max() <= found.high
    assert len(found.codes.unique()) > 2
    assert torch.equal(format(torch.zeros(30, 7, dtype=dtype)), torch.zeros(30, 7, dtype=dtype))
    assert torch.equal(format(y).detach(), y), "numbers of the format stay"
    assert ((y - x).abs() <= found.scale / 2 + 1e-6)[(found.codes > found.low) & (found.codes < found.high)].all()


def test_pact_by_its_formulas() -> None:
    x = torch.tensor([-1.0, 0.0, 0.2, 0.31, 0.99, 1.0, 2.0, 3.0], requires_grad=True)
    format = train.PACT(2, alpha=1.0)
    weights = torch.arange(1.0, 9.0)
    y = format(x)
    assert y.tolist() == pytest.approx([0, 0, 1 / 3, 1 / 3, 1, 1, 1, 1])
    (y * weights).sum().backward()
    assert float(format.alpha.grad) == 6 + 7 + 8  # 1 where x >= alpha, 0 elsewhere
    assert x.grad.tolist() == [0, 0, 3, 4, 5, 0, 0, 0]
    signed, x = train.PACT(3, signed=True, alpha=0.5), torch.tensor([-2.0, -0.3, 0.1, 0.6], requires_grad=True)
    signed(x).backward(torch.tensor([1.0, 10.0, 100.0, 1000.0]))
    assert float(signed.alpha.grad) == 1000 - 1
    assert x.grad.tolist() == [0, 10, 100, 0]
    first = train.PACT(4)
    first(torch.tensor([0.3, -0.7, 0.5]))
    assert first.alpha.item() == pytest.approx(0.7)


@pytest.mark.parametrize("signed", [True, False])
def test_lsq_by_its_formulas(signed: bool) -> None:
    format, x = train.LSQ(3, signed=signed), numbers().requires_grad_()
    format(x)
    low, high = (-4, 3) if signed else (0, 7)
    assert float(format.step) == pytest.approx(2 * x.detach().abs().mean().item() / math.sqrt(high), rel=1e-6)
    with torch.no_grad():
        format.step.mul_(0.6)  # so that some are outside
    step, factors = float(format.step), torch.from_numpy(np.random.default_rng(1).normal(size=x.shape))
    format(x).backward(factors)
    q = x.detach().numpy() / step
    inside = (q > low) & (q < high)
    assert 0 < inside.mean() < 1
    each = np.where(inside, np.rint(q) - q, np.where(q <= low, low, high))
    expected = (factors.numpy() * each).sum() / math.sqrt(x.numel() * high)
    assert float(format.step.grad) == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(x.grad.numpy(), factors.numpy() * inside)
    # away from where rounding jumps, y is q * step: the true slope of the step is q, and LSQ's is that less x / step
    wide = step * (1 + 1e-6)
    slope = (np.clip(np.rint(q), low, high) * (wide - step)).sum() / (wide - step)
    assert slope == pytest.approx((each + np.where(inside, q, 0)).sum(), rel=1e-6)


def test_lsq_by_channel_and_by_neuron() -> None:
    x, one = numbers(), numbers()[:, 3]
    many, single = train.LSQ(4, channels=7), train.LSQ(4)
    many(x), single(one)
    assert float(many.step[3]) == float(single.step)
    many(x).sum().backward()
    single(one).sum().backward()
    assert float(many.step.grad[3]) == pytest.approx(float(single.step.grad), rel=1e-6)
    events = train.LSQ(4, signed=False, size=7)
    events(x.abs()).sum().backward()
    plain = train.LSQ(4, signed=False)
    plain(x.abs()).sum().backward()
    assert float(events.step.grad) == pytest.approx(float(plain.step.grad) * math.sqrt(30), rel=1e-5)
    rows = train.LSQ(4, channels=30, axis=0)
    assert rows.codes(x).scale.shape == (30, 1)
    with pytest.raises(NetworkError, match=r"LSQ: made for 7 channels along axis -1, given .*\(7, 30\)"):
        many(x.t())


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("log2_t", [-1.3, -1.0, 0.4])
def test_tqt_by_its_formulas(log2_t: float, signed: bool) -> None:
    format, x = train.TQT(3, signed=signed, log2_t=log2_t), numbers().requires_grad_()
    low, high = (-4, 3) if signed else (0, 7)
    s = 2.0 ** math.ceil(np.float32(log2_t)) / (4 if signed else 8)
    factors = torch.from_numpy(np.random.default_rng(1).normal(size=x.shape))
    y = format(x)
    y.backward(factors)
    q = x.detach().numpy() / s
    np.testing.assert_array_equal(y.detach().numpy(), np.clip(np.rint(q), low, high) * s)
    inside = (np.rint(q) >= low) & (np.rint(q) <= high)
    each = np.where(inside, np.rint(q) - q, np.where(np.rint(q) < low, low, high)) * s * math.log(2)
    assert float(format.log2_t.grad) == pytest.approx((factors.numpy() * each).sum(), rel=1e-5)
    np.testing.assert_allclose(x.grad.numpy(), factors.numpy() * inside)


def test_tqt_starts_at_the_best_power_of_two() -> None:
    x = numbers()
    format = train.TQT(4)
    format(x)
    errors = {k: float((train.TQT(4, log2_t=k)(x) - x).detach().square().sum()) for k in range(-6, 4)}
    assert math.ceil(float(format.log2_t)) == min(errors, key=errors.__getitem__)


@settings(max_examples=30)
@given(
    st.lists(st.floats(-3, 5, width=32), min_size=2, max_size=40).filter(lambda x: any(x)),
    st.integers(2, 8),
    st.sampled_from(["least-squares", "min-max", "percentile"]),
)
def test_asymmetric_range_encloses_zero(values: list[float], bits: int, thresholds: train.Thresholds) -> None:
    x, top = torch.tensor(values, dtype=torch.float64), 2**bits - 1
    format = train.Asymmetric(bits, thresholds=thresholds)
    y, found = format(x), format.codes(x)
    assert float(format.low) <= 0 <= float(format.high)
    assert 0 <= int(found.zero) <= top
    assert int(found.levels.abs().max()) <= top
    assert torch.equal(found.values(), y)
    assert float(format(torch.zeros(3, dtype=torch.float64)).abs().max()) == 0


def test_asymmetric_by_its_formulas() -> None:
    x = numbers().requires_grad_()
    format = train.Asymmetric(4, thresholds="min-max")
    factors = torch.from_numpy(np.random.default_rng(1).normal(size=x.shape))
    y = format(x)
    low, high = float(x.min()), float(x.max())
    scale = (high - low) / 15
    zero = round(-low / scale)
    expected = (np.clip(np.rint(x.detach().numpy() / scale) + zero, 0, 15) - zero) * scale
    np.testing.assert_allclose(y.detach().numpy(), expected, atol=1e-6)
    y.backward(factors)
    inside = (x.detach() >= -zero * scale) & (x.detach() <= (15 - zero) * scale)
    np.testing.assert_allclose(x.grad.numpy(), factors.numpy() * inside.numpy(), atol=1e-12)
    assert not inside.all(), "the whole zero point moves the range by a part of a step"


def test_asymmetric_thresholds_are_what_they_say() -> None:
    x = torch.cat([numbers(), torch.full((1, 7), 4.0, dtype=torch.float64)])  # outliers on one side
    errors, ranges = {}, {}
    for thresholds in ("least-squares", "min-max", "percentile"):
        format = train.Asymmetric(4, thresholds=thresholds, tail=0.1)
        errors[thresholds] = float((format(x) - x).square().mean())
        ranges[thresholds] = float(format.low), float(format.high)
    ordered = x.flatten().sort().values
    cut = round(0.1 * (len(ordered) - 1))
    assert ranges["min-max"] == pytest.approx((float(ordered[0]), 4.0))
    assert ranges["percentile"] == pytest.approx((float(ordered[cut]), float(ordered[-1 - cut])))
    assert errors["least-squares"] < min(errors["min-max"], errors["percentile"])
    channels = train.Asymmetric(4, channels=7)
    error = (channels(x) - x).square().mean(0)
    assert all(
        float(error[k]) == pytest.approx(float((train.Asymmetric(4)(x[:, k]) - x[:, k]).square().mean()))
        for k in range(7)
    )
    many = torch.from_numpy(np.random.default_rng(0).normal(size=20_000))
    large = train.Asymmetric(4)
    large(many)
    assert float(large.high) == pytest.approx(2.4, abs=0.3)  # the best uniform 16 levels of a normal, Max 1960


def test_ranges_are_estimated_when_it_is_time() -> None:
    layer = nn.Linear(6, 5)
    parametrize.register_parametrization(layer, "weight", train.Quantised(train.Asymmetric(4, thresholds="min-max")))
    format = layer.parametrizations.weight[0].format
    updates = train.RangeUpdates(layer, every=3, until=6)
    found = []
    for _ in range(9):
        with torch.no_grad():
            layer.parametrizations.weight.original.mul_(2)
        layer(torch.ones(1, 6))
        found.append(float(format.high))
        updates.step()
    first = found[0]
    assert found == pytest.approx([first] * 3 + [16 * first] * 3 + [128 * first] * 3), (
        "from registration, then after 3 and 6"
    )
    format.renew()
    layer.eval()
    layer(torch.ones(1, 6))
    assert float(format.high) == found[-1], "never in eval mode"
    with pytest.raises(TrainingError, match=r"no train\.Asymmetric"):
        train.RangeUpdates(nn.Linear(2, 2), 3)


def test_thresholds_stay_unless_others_are_clearly_better() -> None:
    format, x = train.Asymmetric(4), numbers()
    format(x)
    first = format.low.clone(), format.high.clone()
    for factor, stays in ((1.01, True), (2.0, False)):
        format.renew()
        format(factor * x)
        assert (torch.equal(format.low, first[0]) and torch.equal(format.high, first[1])) == stays
    doubled = train.Asymmetric(4)
    doubled(2.0 * x)
    assert torch.equal(format.high, doubled.high)


def test_silence_does_not_start_a_format() -> None:
    for make in FORMATS.values():
        format = make()
        silent = torch.zeros(30, 7, dtype=torch.float64)
        assert torch.equal(format(silent), silent)
        fresh = make()
        fresh(numbers())
        assert torch.equal(format(numbers()), fresh(numbers()))


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_on_another_device(name: str) -> None:
    format = FORMATS[name]().to("meta")
    x = torch.empty(30, 7, device="meta", requires_grad=True)
    assert format(x).device.type == format.codes(x).codes.device.type == "meta"
    format(x).sum().backward()


def network() -> nn.Sequential:
    torch.manual_seed(0)
    made = nn.Sequential(nn.Linear(7, 8), nn.ReLU(), train.Quantised(train.PACT(4)), nn.Linear(8, 3))
    parametrize.register_parametrization(made[0], "weight", train.Quantised(train.Asymmetric(4)))
    parametrize.register_parametrization(made[0], "bias", train.Quantised(train.TQT(4)))
    parametrize.register_parametrization(made[3], "weight", train.Quantised(train.LSQ(4, channels=8)))
    return made


@pytest.mark.parametrize("first", [3, 5])
def test_training_resumes_exactly(first: int, tmp_path: Path) -> None:
    data = [(numbers(k, torch.float32), torch.arange(30) % 3) for k in range(2)]

    def trainer(name: str) -> train.Trainer:
        made = network()
        made(data[0][0])
        optimiser = torch.optim.Adam(made.parameters(), 0.02)

        module = Stateless(made)
        return train.Trainer(
            module,
            lambda y, label: nn.functional.cross_entropy(y, label),
            optimiser,
            folder=tmp_path / name,
            each_step=[train.RangeUpdates(module, 3)],
        )

    whole = trainer("whole")
    whole.fit(data, 7)
    trainer("cut").fit(data, first)
    resumed = trainer("cut")
    resumed.fit(data, 7, resume=True)
    a, b = whole.module.state_dict(), resumed.module.state_dict()
    assert a.keys() == b.keys()
    for name, value in a.items():
        same = torch.equal(value, b[name]) if isinstance(value, Tensor) else value == b[name]
        assert same, name
    started = network().state_dict()
    learnt = [key for key in started if key.endswith((".alpha", ".low", ".high", ".log2_t", ".step"))]
    assert len(learnt) == 5
    assert not any(torch.equal(a[f"net.{key}"], started[key]) for key in learnt)


def test_codes_of_a_module() -> None:
    made = network().eval()
    made(numbers(0, torch.float32))
    found = train.codes(made)
    assert list(found) == ["0", "3"]
    assert torch.equal(found["0"].values(), made[0].weight)
    assert torch.equal(found["3"].values(), made[3].weight)
    bias = train.codes(made, [(made[0], "bias")])["0.bias"]
    assert torch.equal(bias.values(), made[0].bias)
    plain = nn.Linear(2, 2)
    with pytest.raises(NetworkError, match="weight is not quantised"):
        train.codes(plain, ["weight"])
    parametrize.register_parametrization(plain, "weight", train.Quantised(lambda x: x))
    with pytest.raises(NetworkError, match=r"function, has no method codes"):
        train.codes(plain)


def test_formats_refuse() -> None:
    for make, message in (
        (lambda: train.LSQ(1), "LSQ: 1 bits; choose 2 to 16"),
        (lambda: train.TQT(17, signed=False), "TQT: 17 bits; choose 1 to 16"),
        (lambda: train.PACT(4, alpha=-1.0), "PACT: alpha=-1"),
        (lambda: train.Asymmetric(4, thresholds="best"), "choose 'least-squares', 'min-max' or 'percentile'"),
        (lambda: train.Asymmetric(4, tail=0.5), "Asymmetric: tail=0.5"),
        (lambda: train.WeightNoise(-0.1), "WeightNoise: sigma=-0.1"),
    ):
        with pytest.raises(NetworkError, match=message):
            make()
    with pytest.raises(TrainingError, match="every=0"):
        train.RangeUpdates(network(), 0)

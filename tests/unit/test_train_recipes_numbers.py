"""Pruned weights stay pruned; quantised ones are the numbers that targets run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from neuromorph import CPU, EventSource, Network, Uniform, ms
from neuromorph.errors import NetworkError, TrainingError
from neuromorph.models.egru_layers import EGRUWeights, egru_stack
from neuromorph.models.recurrent import Linear
from neuromorph.network import FixedProbability, Synapses
from neuromorph.network.builders import build_each
from neuromorph.network.quantise import quantise

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402
from torch.nn.utils import parametrize  # noqa: E402

from neuromorph import train  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_torch_thread")

STEPS = 12


def egru() -> Network:
    """Two layers of EGRU that are given random events."""
    rng = np.random.default_rng(3)
    steps, ids = np.nonzero(rng.random((STEPS, 5)) < 0.5)
    net = Network(seed=1, name="net")
    source = net.population(EventSource(5, steps=steps, indices=ids, values=rng.normal(size=len(ids))), name="in")
    egru_stack(net, source, [EGRUWeights.random(5, 8, threshold=0.05), EGRUWeights.random(8, 6, threshold=0.05)])
    return net


def layers() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(10, 8), nn.ReLU(), nn.Linear(8, 4))


def learn(module: nn.Module, steps: int, each: Any = None) -> None:
    """Some steps of AdamW with decay, which moves every parameter that it can."""
    optimiser = torch.optim.AdamW(module.parameters(), 0.05, weight_decay=0.1)
    for _ in range(steps):
        optimiser.zero_grad()
        y = module(torch.randn(6, 10))
        (y - 1).square().mean().backward()
        optimiser.step()
        if each is not None:
            each.step()


@pytest.mark.parametrize("scope", ["global", "layer"])
@pytest.mark.parametrize("sparsity", [0.0, 0.3, 0.97])
def test_pruning_removes_the_smallest(scope: str, sparsity: float) -> None:
    module = layers()
    before = [module[k].weight.detach().clone() for k in (0, 2)]
    found = train.prune(module, sparsity, scope=scope)
    after = [module[k].weight.detach() for k in (0, 2)]
    assert (
        found
        == pytest.approx(train.sparsities(module))
        == {
            "0": float((after[0] == 0).double().mean()),
            "2": float((after[1] == 0).double().mean()),
        }
    )
    groups = [(before, after)] if scope == "global" else [([b], [a]) for b, a in zip(before, after, strict=True)]
    for old, new in groups:
        sizes, kept = torch.cat([w.abs().flatten() for w in old]), torch.cat([w.flatten() for w in new]) != 0
        assert int((~kept).sum()) == round(sparsity * len(sizes))
        assert not (~kept).any() or sizes[~kept].max() < sizes[kept].min()
    for old, new in zip(before, after, strict=True):
        assert torch.equal(new[new != 0], old[new != 0])


def test_equal_weights_are_pruned_by_number() -> None:
    module = nn.Linear(10, 10)
    nn.init.ones_(module.weight)
    assert train.prune(module, 0.37) == {"weight": pytest.approx(0.37)}


def test_masks_hold_through_training_and_only_shrink() -> None:
    module = layers()
    optimised = list(module.parameters())
    train.prune(module, 0.5)
    assert {id(p) for p in module.parameters()} == {id(p) for p in optimised}
    held = [module[k].weight == 0 for k in (0, 2)]
    learn(module, 5)
    assert all(torch.equal(module[k].weight == 0, h) for k, h in zip((0, 2), held, strict=True))
    train.prune(module, 0.2)
    assert all(torch.equal(module[k].weight == 0, h) for k, h in zip((0, 2), held, strict=True))
    train.prune(module, 0.8)
    assert all((module[k].weight[h] == 0).all() for k, h in zip((0, 2), held, strict=True))
    assert sum(int((module[k].weight == 0).sum()) for k in (0, 2)) == round(0.8 * 112)
    copy = layers()
    train.prune(copy, 0.0)
    copy.load_state_dict(module.state_dict())
    assert torch.equal(copy[0].weight, module[0].weight)


def test_gradual_pruning_follows_the_cubic() -> None:
    module = layers()
    pruning = train.GradualPruning(module, 0.9, start=2, end=10, every=3, initial=0.1, scope="layer")
    found = []

    class Watch:
        def step(self) -> None:
            pruning.step()
            found.append(pruning.sparsity)

    learn(module, 14, Watch())
    at = {2: 0.1, 5: 0.9 - 0.8 * (5 / 8) ** 3, 8: 0.9 - 0.8 * (2 / 8) ** 3, 10: 0.9}
    assert found == pytest.approx([at[max(s for s in (2, *at) if s <= max(step, 2))] for step in range(1, 15)])
    assert train.sparsities(module) == pytest.approx({"0": 72 / 80, "2": 29 / 32})
    assert [train.cubic(step, 2, 10, 0.1, 0.9) for step in (0, 2, 10, 20)] == pytest.approx([0.1, 0.1, 0.9, 0.9])


def test_pruning_comes_before_quantisation_and_drop_connect() -> None:
    module = layers()
    train.parametrise(module, lambda: train.DropConnect(0.5), ["0"])
    train.parametrise(module, lambda: train.Quantised(train.Int8()))
    train.prune(module, 0.75)
    order = [type(each) for each in module[0].parametrizations.weight]
    assert order == [train.Pruned, train.DropConnect, train.Quantised]
    module.eval()
    q, scale = train.Integers(8).parts(module[0].weight)
    torch.testing.assert_close(q * scale, module[0].weight)
    assert sum(train.sparsities(module).values()) / 2 >= 0.7


def test_recipes_find_projections_by_name() -> None:
    net = egru()
    module = train.Module(net, 1 * ms)
    names = [p.name for p in net.projections]
    assert list(train.weights_of(module)) == names
    found = train.prune(module, 0.9, names[3:6])
    assert list(found) == names[3:6]
    assert sum(int((module.projection(name).weight == 0).sum()) for name in found) == round(0.9 * 3 * 64)
    assert (module.projection(names[0]).weight != 0).all()
    with pytest.raises(NetworkError, match=r"no layer 'b'.*in -> egru1.a_u"):
        train.prune(module, 0.5, ["b"])
    with pytest.raises(NetworkError, match="GRU has no parameter 'weight'"):
        train.prune(nn.GRU(2, 2), 0.5, [(nn.GRU(2, 2), "weight")])


@pytest.mark.parametrize("rule", ["dense", "list"])
def test_pruned_synapses_are_gone_from_the_network(rule: str) -> None:
    net = egru()
    if rule == "list":
        net.project(net["egru1"], net["egru2"].a_x, FixedProbability(0.4), weight=Uniform(-1, 1), name="more")
    module = train.Module(net, 1 * ms, dtype=torch.float64, outputs=["egru2"])
    name = "more" if rule == "list" else "egru1 -> egru1.a_y"
    train.prune(module, 0.75, [name])
    pruned = module.network()
    position = [projection.name for projection in pruned.projections].index(name)
    before, after = (list(build_each(each, 1e-3, dtype="float64"))[position] for each in (net, pruned))
    assert after.count == before.count - round(0.75 * before.count)
    assert (after.weights != 0).all()
    y, _ = module(steps=STEPS)
    run = CPU(dtype="float64").compile(pruned, dt=1 * ms, progress=False).run(STEPS + 2, progress=False)
    dense = np.zeros((STEPS + 3, 6))
    events = run.events("egru2")
    dense[events.steps, events.ids] = events.values
    np.testing.assert_allclose(dense[2:][:STEPS], y["egru2"][:, 0].detach().numpy(), atol=1e-12)


def test_pairs_name_any_parameter() -> None:
    cell = nn.GRU(4, 4)
    assert train.prune(cell, 0.5, [(cell, "weight_hh_l0")]) == {"weight_hh_l0": 0.5}
    with pytest.raises(NetworkError, match="no layer with a weight"):
        train.prune(cell, 0.5)


def test_weights_of_single_synapses_decay() -> None:
    net = Network(seed=1)
    source = net.population(EventSource(6), name="in")
    out = net.population(Linear(b=np.zeros(4)), 4, name="out")
    net.project(source, out.a, FixedProbability(0.5), weight=np.float32(0.1))
    module = train.Module(net, 1 * ms, trainable={"in -> out": ["weight"]})
    groups = {g["weight_decay"]: len(g["params"]) for g in train.decay_groups(module, 0.1)}
    assert groups == {0.1: 1, 0.0: 1}


def synapses(weights: np.ndarray[Any, Any]) -> Synapses:
    n = weights.size
    return Synapses(
        "p", 0, 0, 1, 0, n, 1, np.arange(n + 1), np.zeros(n, np.uint16), weights, None, np.array(1, np.uint8)
    )


@given(
    st.sampled_from([32, 64]).flatmap(
        lambda width: hnp.arrays(
            f"f{width // 8}",
            st.integers(1, 20),
            elements=st.floats(width=width, allow_nan=False, allow_infinity=False),  # type: ignore[call-overload]
        )
    ),
    st.sampled_from([8, 16]),
)
def test_integers_are_those_of_the_engine(weights: np.ndarray[Any, Any], bits: int) -> None:
    stored = quantise(synapses(weights), bits)
    q, scale = train.Integers(bits).parts(torch.from_numpy(weights.copy()))
    assert float(scale) == stored.weight_scale
    assert np.array_equal(q.numpy(), stored.weights)
    one = quantise(synapses(weights[:1].reshape(())), bits)
    q, scale = train.Integers(bits).parts(torch.tensor(weights[0]))
    assert (float(q), float(scale)) == (float(one.weights), one.weight_scale)


def test_trained_for_8_bits_is_what_the_engine_runs() -> None:
    """Train through the rounding, give the network to an engine that rounds itself: the same numbers and events."""
    module = train.Module(egru(), 1 * ms, dtype=torch.float64, outputs=["egru1", "egru2"])
    train.parametrise(module, lambda: train.Quantised(train.Int8()))
    optimiser = torch.optim.Adam(module.parameters(), 0.02)
    for _ in range(3):
        optimiser.zero_grad()
        y, _ = module(steps=STEPS)
        (y["egru2"].mean() - 1).square().backward()
        optimiser.step()
    module.eval()
    with train.unquantised(module):
        net = module.network()
    for projection, built in zip(net.projections, build_each(net, 1e-3, dtype="float64"), strict=True):
        stored = quantise(built, 8)
        weight = module.projection(projection.name).weight.detach().numpy()
        assert stored.weight_scale is not None
        assert np.array_equal(stored.weights.astype(np.float64) * stored.weight_scale, weight.ravel())
    y, _ = module(steps=STEPS)
    run = CPU(dtype="float64", weights="int8").compile(net, dt=1 * ms, progress=False).run(STEPS + 2, progress=False)
    for name in ("egru1", "egru2"):
        events, dense = run.events(name), np.zeros((STEPS + 3, y[name].shape[2]))
        dense[events.steps, events.ids] = events.values
        found = dense[module.lags[name] :][:STEPS]
        np.testing.assert_allclose(found, y[name][:, 0].detach().numpy(), atol=1e-12)
        assert (found != 0).any()


def test_gradient_passes_rounding_to_every_weight() -> None:
    weight = torch.randn(4, 3, requires_grad=True)
    train.Int8()(weight).sum().backward()
    assert torch.equal(weight.grad, torch.ones(4, 3))
    x = torch.tensor([-3.0, -2.0, 0.3, 0.125, 0.375, 1.75, 5.0], requires_grad=True)
    y = train.FixedPoint(4, 2)(x)
    assert y.tolist() == [-2.0, -2.0, 0.25, 0.0, 0.5, 1.75, 1.75]
    y.sum().backward()
    assert x.grad.tolist() == [0, 1, 1, 1, 1, 1, 0]


def test_event_values_in_a_format() -> None:
    module = train.Module(egru(), 1 * ms, outputs=["egru1", "egru2"])
    before, _ = module(steps=STEPS)
    module.after("egru1", train.Quantised(train.FixedPoint(8, 5)))
    after, _ = module(steps=STEPS)
    assert torch.equal(after["egru1"], train.FixedPoint(8, 5)(before["egru1"]))
    assert not torch.equal(after["egru2"], before["egru2"])
    after["egru2"].sum().backward()
    assert module.population("egru1").theta.grad.abs().sum() > 0


class LearnedClipping(nn.Module):
    """A format with a parameter, as a later target may bring: PACT's clipping level."""

    def __init__(self, level: float, bits: int) -> None:
        super().__init__()
        self.level, self.top = nn.Parameter(torch.tensor(level)), 2**bits - 1

    def forward(self, x: Tensor) -> Tensor:
        inside = torch.minimum(x.clamp(min=0), self.level)
        step = self.level.detach() / self.top
        return train.straight_through(inside, (inside.detach() / step).round() * step)


def test_a_format_that_learns() -> None:
    layer = nn.Linear(5, 5)
    parametrize.register_parametrization(layer, "weight", train.Quantised(LearnedClipping(0.2, 2)))
    level = layer.parametrizations.weight[0].format.level
    assert any(p is level for p in layer.parameters())
    assert set((layer.weight / 0.2 * 3).round().int().flatten().tolist()) <= {0, 1, 2, 3}
    layer.weight.sum().backward()
    clipped = layer.parametrizations.weight.original >= 0.2
    assert float(level.grad) == int(clipped.sum()) > 0


def test_quantisation_can_begin_late() -> None:
    layer = nn.Linear(3, 3)
    parametrize.register_parametrization(layer, "weight", train.Quantised(train.Integers(2), enabled=False))
    assert torch.equal(layer.weight, layer.parametrizations.weight.original)
    layer.parametrizations.weight[0].enabled = True
    assert len(layer.weight.unique()) <= 3
    with train.unquantised(layer):
        assert torch.equal(layer.weight, layer.parametrizations.weight.original)
    assert len(layer.weight.unique()) <= 3


def test_regularisers_in_closed_form() -> None:
    fired = torch.tensor([[[1.0, 0.0]], [[1.0, 0.0]], [[0.0, 1.0]]], requires_grad=True)
    state = torch.tensor([[[0.5, 0.1]], [[0.7, 0.2]], [[0.3, 0.6]]])
    assert float(train.activity(fired.detach())) == pytest.approx(0.5)
    assert float(train.activity_target(fired.detach(), 0.2)) == pytest.approx(0.09)
    each = (2 / 3 - 0.2) ** 2, (1 / 3 - 0.2) ** 2
    assert float(train.activity_target(fired.detach(), 0.2, "neuron")) == pytest.approx(sum(each) / 2)
    assert float(train.state_below_threshold(state, torch.tensor([0.4, 0.3]), 0.05)) == pytest.approx(0.4 - 0.3)
    found = train.event_penalty(state, fired, level=2.0, change=3.0, events=5.0)
    assert found.item() == pytest.approx(2 * 0.4 + 3 * (0.2**2 + 0.4**2) / 4 + 5 * 0.5)
    found.backward()
    assert fired.grad.abs().sum() > 0


def test_recipes_on_another_device() -> None:
    """On the meta device every tensor that was made elsewhere would be an error."""
    layer = nn.Linear(6, 6, device="meta")
    mask = torch.ones(6, 6, dtype=torch.bool, device="meta")
    parametrize.register_parametrization(layer, "weight", train.Pruned(mask))
    parametrize.register_parametrization(layer, "weight", train.Quantised(train.Int8()))
    y = train.Quantised(train.FixedPoint(8, 3))(layer(torch.ones(2, 3, 6, device="meta")))
    loss = y.mean() + train.activity_target(y, 0.1, "neuron") + train.event_penalty(y, y, level=1, change=1, events=1)
    loss.backward()
    torch.optim.AdamW(layer.parameters()).step()


def test_recipes_refuse() -> None:
    with pytest.raises(TrainingError, match="sparsity 1"):
        train.prune(layers(), 1)
    with pytest.raises(TrainingError, match="scope='row'; choose 'global' or 'layer'"):
        train.prune(layers(), 0.5, scope="row")  # type: ignore[arg-type]
    with pytest.raises(TrainingError, match=r"start=5, end=5"):
        train.GradualPruning(layers(), 0.5, start=5, end=5)
    with pytest.raises(NetworkError, match="1 bits"):
        train.Integers(1)

"""Matrices of lists of synapses are kept between calls without gradients, and never when a weight is another."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

from neuromorph import Network, Sparse, ms
from neuromorph.network import Live

torch = pytest.importorskip("torch")
from neuromorph import train  # noqa: E402
from neuromorph.models import EGRUEvNN  # noqa: E402
from neuromorph.train.modules.weights import ProjectionWeights  # noqa: E402


@pytest.fixture
def module() -> Any:
    rng = np.random.default_rng(0)
    net = Network()
    source = net.population(Live(6, graded=True), name="in")
    layer = net.population(EGRUEvNN(theta=0.05, start=1), 8, name="layer")
    for pre, port, n in ((source, "a_u", 6), (source, "a_x", 6), (layer, "a_y", 8)):
        keep = rng.random((n, 8)) < 0.5
        rows, columns = np.nonzero(keep)
        weights = rng.normal(0, 1, len(rows)).astype(np.float32)
        net.project(pre, getattr(layer, port), Sparse((rows, columns, weights)))
    return train.Module(net, 1 * ms)


def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of projections whose matrix is made, as it happens."""
    names: list[str] = []
    matrix = ProjectionWeights.matrix

    def counted(self: ProjectionWeights, delay: int) -> Any:
        names.append(self.name)
        return matrix(self, delay)

    monkeypatch.setattr(ProjectionWeights, "matrix", counted)
    return names


@torch.no_grad()
def test_a_matrix_is_made_once(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    names, x = made(monkeypatch), torch.rand(5, 2, 6)
    first, _ = module(x)
    assert len(names) == 3
    again, _ = module(x)
    assert len(names) == 3
    assert torch.equal(first["layer"], again["layer"])
    assert first["layer"].any()
    for other in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert torch.equal(other(x)[0]["layer"], first["layer"])
    assert len(names) == 9


@pytest.mark.parametrize("change", ["in place", "data", "another tensor", "parametrized"])
@torch.no_grad()
def test_a_changed_weight_is_seen(module: Any, change: str) -> None:
    x = torch.rand(5, 2, 6)
    before = module(x)[0]["layer"]
    projection = module.projection("in -> layer.a_x")
    if change == "in place":
        projection.weight.mul_(2.0)
    elif change == "data":
        projection.weight.data[0] = 3.0  # no version is counted
    elif change == "another tensor":
        projection.weight = torch.nn.Parameter(projection.weight * 2)
    else:
        torch.nn.utils.parametrize.register_parametrization(projection, "weight", Doubled())
    after = module(x)[0]["layer"]
    assert not torch.equal(before, after)
    assert torch.equal(copy.deepcopy(module)(x)[0]["layer"], after)


class Doubled(torch.nn.Module):  # type: ignore[name-defined, misc]
    """A parametrization."""

    def forward(self, weight: Any) -> Any:
        """Twice the weight."""
        return 2 * weight


def test_gradients_make_their_own(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.rand(5, 2, 6)
    with torch.inference_mode():
        kept = module(x)[0]["layer"]
    names = made(monkeypatch)
    y = module(x)[0]["layer"]
    y.sum().backward()
    assert len(names) == 3
    assert torch.equal(y, kept)
    assert module.projection("layer -> layer.a_y").weight.grad.any()

"""Invariants of random networks: what is built is what was promised, the same for any number of threads."""

from __future__ import annotations

import pickle
from unittest import mock

import numpy as np
from hypothesis import HealthCheck, given, settings
from strategies import DT, networks

from neuromorph.network import Network, Synapses, build, builders
from neuromorph.units import ms

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def same(a: Synapses, b: Synapses) -> bool:
    """Whether every array is equal, in value and in type."""
    for name in ("row_ptr", "targets", "weights", "weight_index", "delays"):
        x, y = getattr(a, name), getattr(b, name)
        if (x is None) != (y is None) or (x is not None and (x.dtype != y.dtype or not np.array_equal(x, y))):
            return False
    return True


@QUICK
@given(networks())
def test_synapses_keep_their_layout(net: Network) -> None:
    for s, projection in zip(build(net, DT), net.projections, strict=True):
        assert (s.index, s.pre, s.post) == (projection.index, projection.pre.index, projection.post.index)
        assert s.delays.dtype in (np.uint8, np.uint16)
        assert s.delays.size == 0 or s.delays.min() >= 1
        assert s.delays.shape in ((), (s.count,))
        if s.row_ptr is None:
            assert s.targets is None
            assert s.weights.shape in ((), (s.n_pre * s.n_post,))
            continue
        assert s.row_ptr.shape == (s.n_pre + 1,)
        assert s.row_ptr[0] == 0
        assert s.targets is not None
        assert s.targets.shape == (s.count,)
        assert s.targets.dtype == np.uint16
        for row in range(s.n_pre):
            targets = s.targets[s.row_ptr[row] : s.row_ptr[row + 1]].astype(int)
            assert (np.diff(targets) >= 0).all()
            assert (targets < s.n_post).all()


@QUICK
@given(networks())
def test_threads_and_pickling_change_nothing(net: Network) -> None:
    again = pickle.loads(pickle.dumps(net))
    assert again.text() == net.text()
    with mock.patch.object(builders, "SMALL", 0):
        assert all(map(same, build(net, DT, threads=1), build(again, DT, threads=3)))


@QUICK
@given(networks())
def test_forecast_bounds_what_is_built(net: Network) -> None:
    forecast = net.forecast(DT)
    for s, f in zip(build(net, DT), forecast.projections, strict=True):
        if f.count.exact:
            assert s.count == f.count.mean
        else:
            assert abs(s.count - f.count.mean) <= 6 * f.count.sd + 3
        # a delay or weight that turns out equal everywhere is stored once, so less is possible
        assert s.nbytes <= s.count * f.bytes_per_synapse + f.fixed_bytes + 2


@QUICK
@given(networks(max_neurons=12), networks(max_neurons=12))
def test_text_tells_networks_apart(a: Network, b: Network) -> None:
    if a.text() == b.text():
        assert all(map(same, build(a, 1 * ms), build(b, 1 * ms)))
    assert a._repr_html_().startswith("<div>")

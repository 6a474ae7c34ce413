"""What modules refuse, in one clear message, before any work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from neuromorph import Dense, EventSource, Lookup, Network, ms, nA
from neuromorph.errors import NetworkError
from neuromorph.models import LIF, EGRUEvNN

torch = pytest.importorskip("torch")
from neuromorph import train  # noqa: E402

X = torch.ones(10, 2, 4)


def cells() -> Network:
    net = Network(name="cells")
    source, cells = net.population(EventSource(4), name="in"), net.population(LIF, 5, name="cells")
    net.project(source, cells.i_in, Dense(np.ones((4, 5)) * nA))
    return net


def words() -> Network:
    net = Network(name="words")
    source = net.population(Lookup(np.ones((7, 4))), name="words")
    net.project(source, net.population(EGRUEvNN, 3, name="unit").a_x, Dense(np.ones((4, 3))))
    return net


def built(**options: Any) -> train.Module:
    return train.Module(cells(), 1 * ms, **options)


CALLS: list[tuple[str, Callable[[], Any]]] = [
    (r"x has shape \(10, 4\); give \(steps, batch, 4\)", lambda: built()(X[:, 0])),
    (r"x is ndarray; give a tensor, or a dict of tensors", lambda: built()(X.numpy())),
    (r"source in: x is list; give a tensor of real numbers", lambda: built()({"in": [1.0]})),
    (r"source in: x is a tensor of torch.complex64; give a tensor of real", lambda: built()(X.to(torch.complex64))),
    (r"source in: a value of x is not finite", lambda: built()(X * float("nan"))),
    (r"x is on meta, the module on cpu; move one of them", lambda: built()(X.to("meta"))),
    (r"'cells' is no source of the network; sources are in", lambda: built()({"cells": X})),
    (r"nothing is given; give x, or steps=", lambda: built()()),
    (r"steps=5, but x has 10; leave steps= out", lambda: built()(X, steps=5)),
    (r"batch=5, but x has 2; leave batch= out", lambda: built()(X, batch=5)),
    (r"steps=-1; give an int of at least 0", lambda: built()(steps=-1)),
    (r"steps=2.5; give an int", lambda: built()(steps=2.5)),
    (r"x has a batch of 0 samples", lambda: built()(X[:, :0])),
    (r"the state is of a batch of 2, x of 1", lambda: built()(X[:, :1], built()(X)[1])),
    (r"state is tuple; give what a call returned", lambda: built()(X, (1, 2))),
    (
        r"the state is of a network with words \(4\), unit \(3\); this one has in \(4\), cells \(5\)",
        lambda: built()(X, train.Module(words(), 1 * ms)(steps=1, batch=2)[1]),
    ),
    (r"source words: ids: 7; rows are 0 to 6", lambda: train.Module(words(), 1 * ms)(torch.full((3, 1), 7))),
    (r"source words: ids: -2; rows are 0 to 6", lambda: train.Module(words(), 1 * ms)(torch.full((3, 1), -2))),
    (r"dtype torch.float16; choose torch.float32 or torch.float64", lambda: built(dtype=torch.float16)),
    (r"no population 'cell'; did you mean 'cells'", lambda: built(outputs=["cell.v"])),
    (r"LIF has no 'u'", lambda: built(outputs=["cells.u"])),
    (r"no population or projection 'cell'", lambda: built(trainable={"cell": ["tau_m"]})),
    (r"no parameter .*'tau'; it has tau_m", lambda: built(trainable={"cells": ["tau"]})),
    (
        r"a projection has a weight alone; give {'in -> cells': \['weight'\]}",
        lambda: built(trainable={"in -> cells": ["w"]}),
    ),
    (r"give a list of names for 'cells', as in \['tau_m'\]", lambda: built(trainable={"cells": "tau_m"})),
    (r"'triangle' is none; give one such as train.Triangle\(\)", lambda: built(surrogate="triangle")),
    (r"Triangle'> is none; give one such as", lambda: built(surrogate={"cells": train.Triangle})),
    (r"no population 'cell'; it has in, cells", lambda: built(surrogate={"cell": train.Triangle()})),
    (r"is not a torch.nn.Module; wrap it", lambda: built().after("cells", abs)),
    (r"expected a Network, got 'net'", lambda: train.Module("net", 1 * ms)),
    (r"Ordered: expected a train.Module, got Linear", lambda: train.Ordered(torch.nn.Linear(2, 2))),
    (r"weights 'int5'; choose int4, .* or None", lambda: train.Ordered(built(), weights="int5")),
    (r"compare: expected a train.Module, got Linear", lambda: train.compare(torch.nn.Linear(2, 2), X)),
    (r"'cpu' is not a target; give one such as CPU\(\)", lambda: train.compare(built(), X, "cpu")),
    (r"give a list of states, as in \['cells.v'\]", lambda: train.compare(built(), X, states="cells.v")),
]


@pytest.mark.parametrize(("message", "call"), CALLS, ids=[message[:40] for message, _ in CALLS])
def test_what_cannot_be_is_refused(message: str, call: Callable[[], Any]) -> None:
    with pytest.raises(NetworkError, match=message):
        call()


def test_an_empty_sequence_gives_empty_outputs_and_moves_nothing() -> None:
    module = built(outputs=["cells", "cells.v"])
    for each in (module, train.Ordered(module)):
        _, state = each(X)
        y, after = each(X[:0], state)
        assert y["cells.v"].shape == (0, 2, 5)
        assert after.step == state.step == 10
        assert all(torch.equal(a, b) for a, b in zip(after.cells["cells"], state.cells["cells"], strict=True))

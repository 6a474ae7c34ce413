"""The training loop: a training that was interrupted, in whatever way, ends as one that never was."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from neuromorph.errors import CheckpointError, TrainingError

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402
from torch.nn.utils import parametrize  # noqa: E402

from neuromorph import train  # noqa: E402

EPOCHS, WINDOWS = 3, 5


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Recurrent(nn.Module):
    """A GRU with every source of randomness that recipes have."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(20, 6))
        self.words, self.dropout = train.WordDropout(0.1), train.LockedDropout(0.3)
        self.cell = nn.GRU(6, 6)
        parametrize.register_parametrization(self.cell, "weight_hh_l0", train.DropConnect(0.2))

    def forward(self, ids: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        out, state = self.cell(self.words(ids, self.table), state)
        return self.dropout(out), state


class Killed(Exception):
    """A run that ends without warning."""


def make(folder: Path | None, *, die_at: int | None = None, **more: Any) -> tuple[train.Trainer, train.Windows]:
    torch.manual_seed(1)
    module = Recurrent()
    softmax = train.SampledSoftmax(train.log_uniform(20), 8)
    optimiser = torch.optim.AdamW(train.decay_groups(module, 0.1), lr=1e-2)
    ids = train.columns(torch.randint(20, (4 * 21,), generator=torch.Generator().manual_seed(0)), 4)
    calls = 0

    def loss(y: Tensor, targets: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        nonlocal calls
        calls += 1
        if calls == die_at:
            raise Killed
        return softmax(y.flatten(0, 1), targets.flatten(), module.table).mean(), {"size": y.detach().abs().mean()}

    def evaluate(module: nn.Module) -> dict[str, float]:
        return {"valid": float(module(ids[:4])[0].square().mean())}

    settings = {
        "carry": "all",
        "clip": 0.5,
        "each_epoch": [train.CosineFrom(optimiser, 1, EPOCHS)],
        "evaluate": evaluate,
        "stopping": train.EarlyStopping("valid", 10),
        "folder": folder,
        "save_every": 0.0,
        "log_every": 2,
        "progress": False,
    }
    trainer = train.Trainer(module, loss, optimiser, **(settings | more))
    return trainer, train.Windows(ids[:-1], ids[1:], 4, jitter=0.5)


def parameters(trainer: train.Trainer) -> dict[str, Tensor]:
    return dict(trainer.module.state_dict())


def metrics(folder: Path) -> list[dict[str, Any]]:
    return [{k: v for k, v in r.items() if k != "seconds"} for r in train.read_metrics(folder / "metrics.jsonl")]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Tensor], list[dict[str, Any]], Any]:
    """What a run without interruption comes to."""
    folder = tmp_path_factory.mktemp("whole")
    trainer, data = make(folder)
    fitted = trainer.fit(data, EPOCHS)
    return parameters(trainer), metrics(folder), fitted


def same(found: dict[str, Tensor], expected: dict[str, Tensor]) -> bool:
    return found.keys() == expected.keys() and all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize("die_at", [1, 3, 6, 7, 14])
def test_resumed_run_equals_the_one_that_never_stopped(tmp_path: Path, whole: Any, die_at: int) -> None:
    trainer, data = make(tmp_path, die_at=die_at)
    with pytest.raises(Killed):
        trainer.fit(data, EPOCHS)
    torch.rand(5)  # nothing outside the checkpoint may matter
    trainer, data = make(tmp_path)
    torch.rand(3)
    fitted = trainer.fit(data, EPOCHS, resume=True)
    assert same(parameters(trainer), whole[0])
    assert metrics(tmp_path) == whole[1]
    assert (fitted.steps, fitted.last) == (whole[2].steps, whole[2].last)


def test_rare_checkpoints_and_many_deaths(tmp_path: Path, whole: Any) -> None:
    """Work after the last checkpoint is done again, and its metrics are not written twice."""
    clock = iter(range(10**6))
    for die_at in (3, 5, 4, 7, None):
        trainer, data = make(tmp_path, die_at=die_at, save_every=3.0)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("neuromorph.train.trainer.monotonic", lambda: next(clock))
            try:
                trainer.fit(data, EPOCHS, resume=True)
            except Killed:
                continue
    assert same(parameters(trainer), whole[0])
    assert metrics(tmp_path) == whole[1]

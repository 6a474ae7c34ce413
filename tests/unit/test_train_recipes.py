"""The training loop: a training that was interrupted, in whatever way, ends as one that never was."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from neuromorph import Live, Network, ms
from neuromorph.errors import CheckpointError, TrainingError
from neuromorph.models.egru_layers import EGRUWeights, egru_stack

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402
from torch.nn.utils import parametrize  # noqa: E402

from neuromorph import train  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_torch_thread")

EPOCHS = 3


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


class DeathError(Exception):
    """A run that ends without warning."""


def die() -> None:
    raise DeathError


def make(
    folder: Path | None, *, die_at: int | None = None, die: Callable[[], None] = die, **more: Any
) -> tuple[train.Trainer, train.Windows]:
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
            die()
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
    with pytest.raises(DeathError):
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
            patch.setattr("neuromorph.train.recipes.trainer.monotonic", lambda: next(clock))
            try:
                trainer.fit(data, EPOCHS, resume=True)
            except DeathError:
                continue
    assert same(parameters(trainer), whole[0])
    assert metrics(tmp_path) == whole[1]


def test_killed_process(tmp_path: Path, whole: Any) -> None:
    def run() -> None:
        trainer, data = make(tmp_path, die_at=8, die=lambda: os.kill(os.getpid(), signal.SIGKILL))
        trainer.fit(data, EPOCHS)

    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    process.join(timeout=120)
    assert process.exitcode == -signal.SIGKILL
    assert train.load_checkpoint(tmp_path / "checkpoint.pt")["position"]["step"] == 7
    trainer, data = make(tmp_path)
    trainer.fit(data, EPOCHS, resume=True)
    assert same(parameters(trainer), whole[0])
    assert metrics(tmp_path) == whole[1]


@pytest.mark.parametrize("die_at", [2, 5, 8])
def test_ctrl_c_keeps_a_checkpoint(tmp_path: Path, whole: Any, die_at: int) -> None:
    trainer, data = make(tmp_path, die_at=die_at, die=lambda: signal.raise_signal(signal.SIGINT), save_every=1e9)
    with pytest.raises(KeyboardInterrupt, match=rf"stopped after {die_at} batches; resume=True goes on from .*pt$"):
        trainer.fit(data, EPOCHS)
    trainer, data = make(tmp_path)
    trainer.fit(data, EPOCHS, resume=True)
    assert same(parameters(trainer), whole[0])
    assert metrics(tmp_path) == whole[1]


def test_shuffled_loader_and_pruning_resume(tmp_path: Path) -> None:
    """What draws from torch's global generator, and masks that change on the way, resume too."""

    def run(folder: Path, die_at: int | None = None) -> dict[str, Tensor]:
        torch.manual_seed(2)
        module = Plain(5, 4)
        optimiser = torch.optim.SGD(module.parameters(), 0.1, momentum=0.9)
        pruning = train.GradualPruning(module, 0.8, start=1, end=9, every=2)
        samples = torch.utils.data.TensorDataset(torch.randn(12, 5), torch.randn(12, 4))
        count = 0

        def loss(y: Tensor, targets: Tensor) -> Tensor:
            nonlocal count
            count += 1
            if count == die_at:
                raise DeathError
            return (y - targets).square().mean()

        trainer = train.Trainer(
            module, loss, optimiser, each_step=[pruning], folder=folder, save_every=0.0, progress=False
        )
        trainer.fit(torch.utils.data.DataLoader(samples, 3, shuffle=True), 3, resume=True)
        return parameters(trainer)

    expected = run(tmp_path / "whole")
    assert int(expected["layer.parametrizations.weight.0.mask"].sum()) == 4
    for death in (2, 4, 5, 7):
        folder = tmp_path / str(death)
        with pytest.raises(DeathError):
            run(folder, death)
        assert same(run(folder), expected)


@pytest.mark.parametrize("carry", ["all", "outputs"])
def test_networks_resume_within_a_sequence(tmp_path: Path, carry: Any) -> None:
    """States, and events on their way, of a network that was stopped between two windows."""
    sequence = torch.rand(30, 2, 4, generator=torch.Generator().manual_seed(0))

    def run(folder: Path, die_at: int | None = None) -> dict[str, Tensor]:
        net = Network(seed=1)
        source = net.population(Live(4, graded=True), name="in")
        egru_stack(net, source, [EGRUWeights.random(4, 5, threshold=0.05)])
        module = train.Module(net, dt=1 * ms)
        optimiser = torch.optim.Adam(module.parameters(), 0.01)
        count = 0

        def loss(y: dict[str, Tensor], targets: Tensor) -> Tensor:
            nonlocal count
            count += 1
            if count == die_at:
                raise DeathError
            return (y["egru1"].sum(-1) - targets).square().mean()

        data = train.Windows(sequence, sequence.sum(-1), 7)
        trainer = train.Trainer(module, loss, optimiser, carry=carry, folder=folder, save_every=0.0, progress=False)
        trainer.fit(data, 2, resume=True)
        return parameters(trainer)

    expected = run(tmp_path / "whole")
    with pytest.raises(DeathError):
        run(tmp_path / "killed", 4)
    state = train.load_checkpoint(tmp_path / "killed" / "checkpoint.pt")["position"]["state"]
    assert state.step == 21
    assert all((cell == 0).all() for cell in state.cells["egru1"]) == (carry == "outputs")
    assert same(run(tmp_path / "killed"), expected)


class Plain(nn.Module):
    """A layer without state."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.layer = nn.Linear(inputs, outputs)

    def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, None]:
        return self.layer(x), None


def test_a_plain_loop_does_the_same() -> None:
    trainer, data = make(None, each_epoch=[], evaluate=None, stopping=None)
    trainer.fit(data, 1)
    other, data = make(None)
    module, optimiser, state = other.module, other.optimiser, None
    module.train()
    for ids, targets in data:
        optimiser.zero_grad()
        y, state = module(ids, state)
        loss, _ = other.loss(y, targets)
        loss.backward()
        nn.utils.clip_grad_norm_(module.parameters(), 0.5)
        optimiser.step()
        state = train.carried(state, "all")
    assert same(dict(module.state_dict()), parameters(trainer))


def test_carrying_the_state_is_as_if_never_cut() -> None:
    torch.manual_seed(0)
    cell = nn.LSTM(3, 4)
    x = torch.randn(10, 2, 3)
    whole, _ = cell(x)
    state, parts = None, []
    for window, _ in train.Windows(x, x, 3):
        y, state = cell(window, state)
        state = train.carried(state, "all")
        assert not any(each.requires_grad for each in state)
        parts.append(y)
    torch.testing.assert_close(torch.cat(parts), whole)
    assert train.carried(state, None) is None
    with pytest.raises(TrainingError, match=r"tuple does not know what its outputs are.*outputs_only"):
        train.carried(state, "outputs")


def test_best_weights_and_early_stopping(tmp_path: Path) -> None:
    values = iter([3.0, 2.0, 2.5, float("nan"), 1.0])
    seen = []

    def evaluate(module: nn.Module) -> dict[str, float]:
        assert not module.training
        seen.append({name: value.clone() for name, value in module.state_dict().items()})
        return {"valid": next(values)}

    trainer, data = make(tmp_path, evaluate=evaluate, stopping=train.EarlyStopping("valid", 2))
    fitted = trainer.fit(data, 10)
    assert (fitted.epochs, fitted.best, fitted.stopped) == (4, 2.0, True)
    assert same(seen[3], parameters(trainer))
    assert [record.get("valid") for record in metrics(tmp_path) if "batch" not in record] == [3.0, 2.0, 2.5, None]
    trainer.load_best()
    assert same(seen[1], parameters(trainer))
    with pytest.raises(TrainingError, match=r"no metric 'accuracy'; this epoch has .*loss"):
        train.EarlyStopping("accuracy").better(fitted.last)


def test_full_disk_is_said_before_training(tmp_path: Path) -> None:
    trainer, data = make(tmp_path, die_at=1)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))
    try:
        with pytest.raises(CheckpointError, match=r"checkpoint.pt: .*cannot be written \(File too large\).*kept"):
            trainer.fit(data, 1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.jsonl"]


def test_state_that_cannot_be_read_back_is_said_before_training(tmp_path: Path) -> None:
    class Schedule:
        def step(self) -> None: ...

        def state_dict(self) -> Any:
            return {"factor": Fraction(1, 3)}

        def load_state_dict(self, state: Any) -> None: ...

    trainer, data = make(tmp_path, die_at=1, each_step=[Schedule()])
    with pytest.raises(CheckpointError, match=r"other things than tensors and plain values \(.*\)$"):
        trainer.fit(data, 1)


def test_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    trainer, data = make(tmp_path / "file" / "run", die_at=1)
    with pytest.raises(TrainingError, match="run: the folder cannot be made"):
        trainer.fit(data, 1)


def test_another_training_in_the_folder(tmp_path: Path) -> None:
    trainer, data = make(tmp_path)
    trainer.fit(data, 1)
    with pytest.raises(TrainingError, match=r"holds the checkpoint of a training; resume=True"):
        make(tmp_path)[0].fit(data, 1)
    other = train.Trainer(Plain(2, 2), lambda y, t: y.mean(), trainer.optimiser, folder=tmp_path, progress=False)
    with pytest.raises(CheckpointError, match=r"weights of another module"):
        other.fit(data, 1, resume=True)
    with pytest.raises(CheckpointError, match=r"0 objects in each_epoch|1 objects in each_epoch"):
        make(tmp_path, each_epoch=[])[0].fit(data, 2, resume=True)
    (tmp_path / "checkpoint.pt").write_bytes((tmp_path / "checkpoint.pt").read_bytes()[:-100])
    with pytest.raises(CheckpointError, match=r"damaged"):
        make(tmp_path)[0].fit(data, 2, resume=True)


def test_a_loss_that_is_no_number_leaves_the_checkpoint(tmp_path: Path) -> None:
    module = Plain(1, 1)
    optimiser = torch.optim.SGD(module.parameters(), 1.0)
    data = [(torch.ones(1, 1), torch.ones(1)), (torch.full((1, 1), torch.inf), torch.ones(1))]
    trainer = train.Trainer(module, lambda y, t: y.sum(), optimiser, folder=tmp_path, save_every=0, progress=False)
    with pytest.raises(TrainingError, match=r"loss is .*inf in batch 2 of epoch 1"):
        trainer.fit(data, 1)
    kept = train.load_checkpoint(tmp_path / "checkpoint.pt")
    assert kept["position"]["batch"] == 1
    assert torch.isfinite(kept["model"]["layer.weight"]).all()


def test_progress_knows_how_much_is_left() -> None:
    class Seen:
        def __init__(self) -> None:
            self.calls: list[tuple[Any, ...]] = []

        def __enter__(self) -> Seen:
            return self

        def __exit__(self, *error: object) -> None: ...

        def stage(self, text: str, total: int | None = None) -> None:
            self.calls.append((text, total))

        def advance(self, amount: int = 1) -> None:
            self.calls.append((amount,))

        def note(self, text: str) -> None:
            self.calls.append((text,))

    seen = Seen()
    trainer, data = make(None, progress=seen)
    windows = len(data)
    fitted = trainer.fit(data, 2)
    assert seen.calls[0] == ("training 2 epochs", 2 * windows)
    assert sum(call == (1,) for call in seen.calls) == fitted.steps
    assert any(str(call[0]).startswith("epoch 2/2, loss ") for call in seen.calls)


def test_bf16_by_name() -> None:
    module, seen = Plain(3, 2), []

    def loss(y: Tensor, targets: Tensor) -> Tensor:
        seen.append((y.dtype, torch.get_float32_matmul_precision()))
        return y.float().square().mean()

    def evaluate(module: nn.Module) -> dict[str, float]:
        seen.append((module(torch.ones(4, 3))[0].dtype, torch.get_float32_matmul_precision()))
        return {}

    optimiser = torch.optim.SGD(module.parameters(), 0.1)
    trainer = train.Trainer(module, loss, optimiser, precision="bf16", evaluate=evaluate, progress=False)
    fitted = trainer.fit([(torch.ones(4, 3), torch.ones(4))], 2)
    assert seen == [(torch.bfloat16, "medium"), (torch.float32, "highest")] * 2
    assert all(p.dtype == torch.float32 for p in module.parameters())
    assert fitted.last["loss"] > 0
    with pytest.raises(TrainingError, match="precision='half'; choose 'float32' or 'bf16'"):
        make(None, precision="half")


def test_metrics_survive_a_line_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    file = train.MetricsFile(path)
    for step in range(4):
        file.write({"step": step})
    file.close()
    path.write_text(path.read_text()[:-3])
    assert [record["step"] for record in train.read_metrics(path)] == [0, 1, 2]
    file = train.MetricsFile(path, keep=4)
    file.write({"step": 3})
    file.close()
    assert [record["step"] for record in train.read_metrics(path)] == [0, 1, 2, 3]


def test_decay_groups() -> None:
    module = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2))
    parametrize.register_parametrization(module[0], "weight", train.DropConnect(0.1))
    module[1].weight = module[1].weight
    groups = train.decay_groups(module, 0.1, rates={"1.bias": 0.0})
    found = {(g["weight_decay"], g.get("lr")): [tuple(p.shape) for p in g["params"]] for g in groups}
    assert found == {(0.1, None): [(2, 3), (2, 2)], (0.0, None): [(2,)], (0.0, 0.0): [(2,)]}
    everything = train.decay_groups(module, 0.1, decays=lambda name, p: name.endswith("bias"))
    assert sorted(len(g["params"]) for g in everything if g["weight_decay"]) == [2]
    assert len(train.decay_groups(module, 0.1, rates={"0.weight": 0.5})) == 3
    with pytest.raises(TrainingError, match=r"no parameter ends in .'theta'"):
        train.decay_groups(module, 0.1, rates={"theta": 0.0})


def test_cosine_in_closed_form() -> None:
    optimiser = torch.optim.SGD([{"params": [torch.zeros(1, requires_grad=True)], "lr": 2.0}])
    schedule = train.CosineFrom(optimiser, 4, 8, floor=0.1, warmup=2)
    found = []
    for _ in range(11):
        found.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        schedule.step()
    half = 0.5**0.5
    factors = [1 / 3, 2 / 3, 1, 1, 1, 0.55 + 0.45 * half, 0.55, 0.55 - 0.45 * half, 0.1, 0.1, 0.1]
    assert found == pytest.approx([2 * factor for factor in factors])
    with pytest.raises(TrainingError, match="start=8, end=8"):
        train.CosineFrom(optimiser, 8, 8)


@pytest.mark.parametrize("jitter", [0.0, 3.0])
def test_windows_go_through_the_stream_once(jitter: float) -> None:
    stream = torch.arange(200)
    windows = train.Windows(stream[:-1], stream[1:], 12, jitter=jitter)
    lengths = []
    for epoch in (0, 1, 1):
        windows.set_epoch(epoch)
        parts = list(windows)
        assert len(parts) == len(windows)
        assert torch.equal(torch.cat([x for x, _ in parts]), stream[:-1])
        assert torch.equal(torch.cat([y for _, y in parts]), stream[1:])
        lengths.append([len(x) for x, _ in parts])
        assert all(6 <= length <= 18 for length in lengths[-1][:-1])
    assert lengths[1] == lengths[2]
    assert (lengths[0] != lengths[1]) == bool(jitter)


def test_columns_are_pieces_of_the_sequence() -> None:
    assert train.columns(torch.arange(11), 3).tolist() == [[0, 3, 6], [1, 4, 7], [2, 5, 8]]
    with pytest.raises(TrainingError, match="2 cannot be cut into 3 columns"):
        train.columns(torch.arange(2), 3)


def test_samples_come_once_an_epoch() -> None:
    samples = train.Samples(torch.arange(7).expand(2, 7), torch.arange(7), 3, seed=4)
    orders = []
    for epoch in (0, 1, 1):
        samples.set_epoch(epoch)
        batches = list(samples)
        assert [len(targets) for _, targets in batches] == [3, 3, 1]
        assert all(torch.equal(inputs[1], targets) for inputs, targets in batches)
        orders.append(torch.cat([targets for _, targets in batches]).tolist())
    assert orders[1] == orders[2] != orders[0]
    assert sorted(orders[0]) == list(range(7))


def test_evaluation_weighs_items_equally() -> None:
    data = [(torch.full((3, 1), 2.0), torch.zeros(3)), (torch.full((1, 1), 6.0), torch.zeros(1))]
    module = Plain(1, 1)
    with torch.no_grad():
        module.layer.weight.fill_(1)
        module.layer.bias.zero_()
    found = train.evaluate(module, lambda y, t: {"value": y, "correct": train.correct(y, t)}, data)
    assert found == {"value": 3.0, "correct": 1.0}
    assert module.training

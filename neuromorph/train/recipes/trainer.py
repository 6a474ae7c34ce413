"""A training loop with truncated back-propagation, checkpoints that resume exactly, and metrics in a file.

Nothing in it is needed to train: every piece works in a plain PyTorch loop, too.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from itertools import islice
from os import PathLike
from pathlib import Path
from time import monotonic
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from neuromorph.engine.interrupt import deferred_interrupt
from neuromorph.errors import CheckpointError, TrainingError
from neuromorph.progress import Progress, progress_for
from neuromorph.train.modules.mode import evaluated
from neuromorph.train.recipes.carry import Carry, carried, move
from neuromorph.train.recipes.checkpoint import (
    load_checkpoint,
    load_state,
    load_weights,
    random_state,
    save_checkpoint,
    set_random_state,
)
from neuromorph.train.recipes.metrics import MetricsFile
from neuromorph.train.recipes.position import Position
from neuromorph.train.recipes.stopping import EarlyStopping

Loss = Callable[[Any, Any], Tensor | tuple[Tensor, Mapping[str, Tensor | float]]]
"""Loss of outputs and targets, alone or with parts of it to be recorded by name."""

_LOOK = 32  # batches after which losses are fetched from the device and looked at


class Stepped(Protocol):
    """What takes a step after each batch or epoch and is part of a checkpoint: schedules of rates, pruning."""

    def step(self) -> Any: ...

    def state_dict(self) -> Any: ...

    def load_state_dict(self, state_dict: Any, /) -> Any: ...


@dataclass(frozen=True)
class Fitted:
    """How a training ended.

    Attributes
    ----------
    epochs, steps : int
        Epochs that were completed, and optimiser steps, over all resumes.
    seconds : float
        Time spent, over all resumes.
    best : float or None
        Best value of the monitored metric.
    stopped : bool
        Whether early stopping ended it.
    last : mapping of str to float
        Metrics of the last epoch.
    """

    epochs: int
    steps: int
    seconds: float
    best: float | None
    stopped: bool
    last: Mapping[str, Any]


class Trainer:
    """Train a module on batches or on windows of a stream.

    The module is called as ``outputs, state = module(inputs, state)``, as :class:`neuromorph.train.Module` is.

    Parameters
    ----------
    module : torch.nn.Module
        Where its first parameter is, batches are moved.
    loss : callable
        ``loss(outputs, targets)``: a scalar, or a scalar and a mapping of further values to record.
    optimiser : torch.optim.Optimizer
    carry : {"all", "outputs", None}
        What passes from one batch to the next within an epoch, see :func:`neuromorph.train.carried`.
    clip : float, optional
        Largest norm of all gradients together; longer ones are scaled.
    each_step, each_epoch : sequence of Stepped
        Schedules: their ``step()`` is called after each batch, after each epoch.
    evaluate : callable, optional
        ``evaluate(module)`` after each epoch, in ``eval`` mode, without gradients: metrics by name.
    stopping : EarlyStopping, optional
        Its best epoch's weights are kept in ``best.pt``.
    folder : path, optional
        For ``checkpoint.pt``, ``best.pt`` and ``metrics.jsonl``, which has a record for each epoch: means of the loss,
        of its parts and of the ``gradient``'s norm before clipping, what ``evaluate`` gave, learning ``rate`` and
        ``seconds``. Without it nothing is written.
    save_every : float
        Seconds between checkpoints; there is one more at the end, and at Ctrl-C.
    log_every : int, optional
        Also record the loss of each so-many-th batch, not only of epochs.
    precision : {"float32", "bf16"}
        ``"bf16"``: products of matrices round their operands to bfloat16 where the machine is faster so. Layers of
        PyTorch do under ``torch.autocast``; what stays float32, as a :class:`neuromorph.train.Module` does, by
        ``torch.set_float32_matmul_precision("medium")``. Parameters and states keep their width, and evaluation is in
        full precision.
    progress : bool or Progress
        A bar with the time left if standard error is a terminal.
    """

    def __init__(
        self,
        module: nn.Module,
        loss: Loss,
        optimiser: Optimizer,
        *,
        carry: Carry | None = None,
        clip: float | None = None,
        each_step: Sequence[Stepped] = (),
        each_epoch: Sequence[Stepped] = (),
        evaluate: Callable[[nn.Module], Mapping[str, float]] | None = None,
        stopping: EarlyStopping | None = None,
        folder: str | PathLike[str] | None = None,
        save_every: float = 300.0,
        log_every: int | None = None,
        precision: Literal["float32", "bf16"] = "float32",
        progress: bool | Progress = True,
    ) -> None:
        if precision not in ("float32", "bf16"):
            raise TrainingError(f"Trainer: precision={precision!r}; choose 'float32' or 'bf16'")
        if carry not in ("all", "outputs", None):
            raise TrainingError(f"Trainer: carry={carry!r}; choose 'all', 'outputs' or None")
        parameter = next(module.parameters(), None)
        if parameter is None:
            raise TrainingError("Trainer: the module has no parameters to train")
        self.module, self.loss, self.optimiser = module, loss, optimiser
        self.carry, self.clip, self.precision = carry, clip, precision
        self.each_step, self.each_epoch = list(each_step), list(each_epoch)
        self.evaluate, self.stopping = evaluate, stopping
        self.folder = None if folder is None else Path(folder)
        self.save_every, self.log_every, self.progress = save_every, log_every, progress
        self.device = parameter.device
        self._at = Position()
        self._metrics: MetricsFile | None = None
        self._saved = 0.0
        self._clock: Callable[[], float] = lambda: self._at.seconds

    @property
    def checkpoint(self) -> Path | None:
        """Where the checkpoint is."""
        return None if self.folder is None else self.folder / "checkpoint.pt"

    def fit(self, data: Iterable[tuple[Any, Any]], epochs: int, *, resume: bool = False) -> Fitted:
        """Train until ``epochs`` epochs are complete or early stopping ends it.

        Parameters
        ----------
        data : iterable of (inputs, targets)
            Iterated once an epoch: a ``DataLoader``, a list, :class:`Windows`, :class:`Samples`. If it has
            ``set_epoch(number)``, that is called first. For an exact resume it must give the same batches again: it may
            draw from the global random generators, or be a function of the epoch.
        epochs : int
            In all, those before a resume among them.
        resume : bool
            Go on from the folder's checkpoint, in the middle of an epoch if that is where it was; begin if there is
            none.

        Raises
        ------
        TrainingError
            The folder holds another training, or a loss is not finite.
        CheckpointError
            A checkpoint cannot be written (found out before the first batch) or does not fit what is to be trained.
        KeyboardInterrupt
            Ctrl-C, after the checkpoint was written.
        """
        self._clock = lambda: self._at.seconds
        self._begin(resume)
        began = self._saved = monotonic()
        before = self._at.seconds
        with progress_for(self.progress) as shown, deferred_interrupt() as pressed:
            self._clock = lambda: before + monotonic() - began
            try:
                self._run(data, epochs, shown, pressed)
            finally:
                if self._metrics is not None:
                    self._metrics.close()
        at, best = self._at, self.stopping.best if self.stopping is not None else None
        return Fitted(at.epoch, at.step, at.seconds, best, self._stopped, at.last)

    def _run(self, data: Iterable[tuple[Any, Any]], epochs: int, shown: Progress, pressed: Callable[[], bool]) -> None:
        at = self._at
        size = len(data) if isinstance(data, Sized) else None
        shown.stage(f"training {epochs} epochs", None if size is None else size * epochs)
        if at.step:
            shown.advance(at.step)
        while at.epoch < epochs and not self._stopped:
            self._epoch(data, f"epoch {at.epoch + 1}/{epochs}", shown, pressed)
            self._end_of_epoch()
            self._save_if_due(pressed)
        self._save()

    @property
    def _stopped(self) -> bool:
        return self.stopping is not None and self.stopping.stop

    def _epoch(self, data: Iterable[tuple[Any, Any]], title: str, shown: Progress, pressed: Callable[[], bool]) -> None:
        """From where we are to the end of the epoch."""
        at = self._at
        here = random_state()
        if at.batch:
            set_random_state(at.begin)
        else:
            at.begin = here
        if hasattr(data, "set_epoch"):
            data.set_epoch(at.epoch)
        batches = iter(data)
        if at.batch:
            next(islice(batches, at.batch - 1, at.batch), None)
            set_random_state(here)
        self.module.train()
        for inputs, targets in batches:
            with self._products():
                losses = self._step(move(inputs, self.device), move(targets, self.device))
            at.pending.append(losses)
            at.batch += 1
            at.step += 1
            shown.advance()
            if len(at.pending) >= _LOOK or (self.log_every and at.step % self.log_every == 0):
                latest = at.look()
                shown.note(f"{title}, loss {latest['loss']:.4g}")
                if self.log_every and at.step % self.log_every == 0:
                    self._record({"epoch": at.epoch + 1, "batch": at.batch}, latest)
            self._save_if_due(pressed)
        if not at.batch:
            raise TrainingError("Trainer: the data gave no batch; an iterator can be used once, give what can be again")

    def _step(self, inputs: Any, targets: Any) -> dict[str, Tensor | float]:
        """One batch: forward, backward, optimiser, schedules."""
        self.optimiser.zero_grad(set_to_none=True)
        with self._autocast():
            outputs, state = self.module(inputs, self._at.state)
            loss = self.loss(outputs, targets)
        loss, parts = loss if isinstance(loss, tuple) else (loss, {})
        loss.backward()
        found = {"loss": loss.detach(), **{k: v.detach() if isinstance(v, Tensor) else v for k, v in parts.items()}}
        if self.clip is not None:
            parameters = [p for group in self.optimiser.param_groups for p in group["params"]]
            found["gradient"] = nn.utils.clip_grad_norm_(parameters, self.clip).detach()
        self.optimiser.step()
        for each in self.each_step:
            each.step()
        self._at.state = carried(state, self.carry)
        return found

    def _autocast(self) -> AbstractContextManager[Any]:
        """Of the forward pass; the backward pass follows it by itself."""
        return torch.autocast(self.device.type, torch.bfloat16) if self.precision == "bf16" else nullcontext()

    @contextmanager
    def _products(self) -> Iterator[None]:
        """How float32 matrices are multiplied, forward and backward."""
        before = torch.get_float32_matmul_precision()
        if self.precision == "bf16":
            torch.set_float32_matmul_precision("medium")
        try:
            yield
        finally:
            torch.set_float32_matmul_precision(before)

    def _end_of_epoch(self) -> None:
        at = self._at
        at.look()
        metrics: dict[str, Any] = {name: total / at.batch for name, total in at.sums.items()}
        if self.evaluate is not None:
            with evaluated(self.module), torch.no_grad():
                metrics |= {name: float(value) for name, value in self.evaluate(self.module).items()}
        metrics["rate"] = float(self.optimiser.param_groups[0]["lr"])
        with warnings.catch_warnings():
            # the batches before it may have been taken before a resume
            warnings.filterwarnings("ignore", "Detected call of `lr_scheduler.step")
            for each in self.each_epoch:
                each.step()
        at.epoch, at.batch, at.state, at.sums, at.last = at.epoch + 1, 0, None, {}, metrics
        if self.stopping is not None and self.stopping.better(metrics) and self.folder is not None:
            save_checkpoint(self.folder / "best.pt", {"model": self.module.state_dict(), "epoch": at.epoch})
        self._record({"epoch": at.epoch}, metrics)

    def _record(self, head: Mapping[str, Any], metrics: Mapping[str, Any]) -> None:
        if self._metrics is not None:
            self._metrics.write({**head, "step": self._at.step, **metrics, "seconds": round(self._clock(), 3)})

    def load_best(self) -> None:
        """Give the module the weights of its best epoch.

        Raises
        ------
        CheckpointError
            There are none, or they are those of another module.
        """
        if self.folder is None:
            raise CheckpointError("Trainer: without a folder the best weights are not kept; give folder=")
        load_weights(self.folder / "best.pt", self.module)

    def _begin(self, resume: bool) -> None:
        """Everything that can go wrong with the folder, before any work."""
        if self.folder is None or self.checkpoint is None:
            if resume:
                raise TrainingError("Trainer: to resume there must be a folder=")
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TrainingError(f"{self.folder}: the folder cannot be made ({error.strerror})") from error
        if resume and self.checkpoint.exists():
            self._restore(load_checkpoint(self.checkpoint, self.device))
        elif self.checkpoint.exists():
            raise TrainingError(
                f"{self.folder}: holds the checkpoint of a training; resume=True goes on from it, or choose another "
                "folder",
                path=self.folder,
            )
        self._metrics = MetricsFile(self.folder / "metrics.jsonl", self._at.lines)
        try:
            self._save()
            load_checkpoint(self.checkpoint)  # a schedule's state may be of a type that cannot be read back
        except CheckpointError:
            self._metrics.close()
            raise

    def _save_if_due(self, pressed: Callable[[], bool]) -> None:
        if pressed():
            self._save()
            kept = "" if self.checkpoint is None else f"; resume=True goes on from {self.checkpoint}"
            raise KeyboardInterrupt(f"stopped after {self._at.step} batches{kept}")
        if monotonic() - self._saved >= self.save_every:
            self._save()

    def _save(self) -> None:
        at = self._at
        at.look()
        at.seconds = self._clock()
        if self.checkpoint is None or self._metrics is None:
            return
        at.lines = self._metrics.lines
        save_checkpoint(
            self.checkpoint,
            {
                "model": self.module.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "each_step": [each.state_dict() for each in self.each_step],
                "each_epoch": [each.state_dict() for each in self.each_epoch],
                "stopping": self.stopping and self.stopping.state_dict(),
                "random": random_state(),
                "position": at.content(),
            },
        )
        self._saved = monotonic()

    def _restore(self, content: Mapping[str, Any]) -> None:
        """Take over a checkpoint."""
        load_state(self.module, content["model"], str(self.checkpoint))
        for name, mine in (("each_step", self.each_step), ("each_epoch", self.each_epoch)):
            if len(content[name]) != len(mine):
                raise CheckpointError(
                    f"{self.checkpoint}: was written with {len(content[name])} objects in {name}, there are {len(mine)}"
                )
            for each, state in zip(mine, content[name], strict=True):
                each.load_state_dict(state)
        if (self.stopping is None) != (content["stopping"] is None):
            raise CheckpointError(
                f"{self.checkpoint}: early stopping was given in one of the two runs and not the other"
            )
        if self.stopping is not None:
            self.stopping.load_state_dict(content["stopping"])
        try:
            self.optimiser.load_state_dict(content["optimiser"])
        except (ValueError, KeyError) as error:
            raise CheckpointError(f"{self.checkpoint}: belongs to another optimiser ({error})") from error
        self._at = Position(**content["position"])
        set_random_state(content["random"])

"""What each non-ideality of a crossbar does: switched on alone, all together, over time and by way of reading out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from neuromorph.engine import CPU
from neuromorph.errors import TargetError
from neuromorph.progress import Progress, progress_for

from .changes import changes_of
from .study_table import Group, Row, Study

if TYPE_CHECKING:
    from neuromorph.engine.target import Target
    from neuromorph.network import Network
    from neuromorph.units import Quantity

    from ..machine.effects import Effects
    from ..target import Crossbar, Readout

TIMES: Mapping[str, float] = {
    "1 second": 1.0,
    "1 hour": 3600.0,
    "1 day": 86400.0,
    "1 month": 30 * 86400.0,
    "1 year": 365 * 86400.0,
}
"""Seconds since programming at which cells that drift are looked at."""

Run = Callable[[Any], Any]
Score = Callable[[Any], float]


@dataclass(frozen=True)
class _Setting:
    """One line of a study: what runs, under which name, in which group of lines."""

    name: str
    group: Group
    target: Target
    effects: tuple[str, ...] = ()
    time: float | None = None


def study(
    target: Crossbar,
    network: Network,
    dt: Quantity,
    run: Run,
    score: Score,
    *,
    effects: Sequence[str] | Mapping[str, Sequence[str]] | None = None,
    times: Mapping[str, float] | None = None,
    readouts: Sequence[Readout] = (),
    seeds: int = 1,
    digital: Target | None = None,
    progress: bool | Progress = True,
) -> Study:
    """Run a network digitally, on the ideal machine, with each effect alone, with all, later, and read out otherwise.

    Every line runs the same data, by ``run``. Lines with effects run on ``seeds`` chips, programmed with the random
    numbers of ``target.seed``, ``target.seed + 1``, and so on.

    Parameters
    ----------
    target : Crossbar
        With the effects that are to be told apart.
    network : Network
    dt : Quantity
    run : callable
        Drives data through a program and returns a trace or a batch: ``lambda program: program.run(1 * second)``.
        Where the batch has a trace (``out=``), events are compared one by one, else counts.
    score : callable
        What counts, of the trace or batch: accuracy, for instance. Higher is better.
    effects : sequence of str, or mapping of name to several, optional
        What is switched on alone; default: each effect that the target has switched on. With a mapping, groups of
        effects: ``{"converters": ["dac", "adc"]}``.
    times : mapping of str to seconds, optional
        When cells that drift are looked at, with all effects on; default :data:`TIMES` if the target's cells drift.
    readouts : sequence of str
        Other ways of reading out, with all effects on.
    seeds : int
    digital : Target, optional
        Default: ``CPU()`` in the target's float type.
    progress : bool or Progress

    Returns
    -------
    Study
        Ctrl-C ends a study early: it holds the lines that were done, and :attr:`Study.complete` is False.

    Raises
    ------
    TargetError
        An effect that the target has not switched on, a target with a chip of its own, or no seed.
    """
    if isinstance(seeds, bool) or not isinstance(seeds, int | np.integer) or seeds < 1:
        raise TargetError(f"study: seeds is {seeds!r}; give a whole number of at least 1", seeds=seeds)
    if target.chip is not None:
        raise TargetError("study: the target has a chip that was programmed before; give its machine and effects")
    settings = list(_settings(target, effects, times, readouts, digital))
    rows: list[Row] = []
    reference: Any = None
    complete = True
    with progress_for(progress) as shown:
        shown.stage(f"study of {network.name}", sum(seeds if s.effects else 1 for s in settings))
        try:
            for setting in settings:
                shown.note(setting.name)
                row, result = _row(setting, network, dt, run, score, seeds if setting.effects else 1, reference, shown)
                reference = result if reference is None else reference
                rows.append(row)
        except KeyboardInterrupt:
            complete = False
    return Study(network.name, repr(target), tuple(rows), complete)


def _settings(
    target: Crossbar,
    effects: Sequence[str] | Mapping[str, Sequence[str]] | None,
    times: Mapping[str, float] | None,
    readouts: Sequence[Readout],
    digital: Target | None,
) -> Iterator[_Setting]:
    everything = target.on
    on = everything.on()
    chosen = on if effects is None else effects
    groups = chosen if isinstance(chosen, Mapping) else {f"only {name}": (name,) for name in chosen}
    alone = {name: everything.only(*names) for name, names in groups.items()}  # says at once what is not there
    yield _Setting("digital", "reference", CPU(dtype=target.dtype) if digital is None else digital)
    yield _Setting("ideal", "reference", _with(target, everything.none()))
    later = dict(TIMES if times is None else times) if everything.drift else {}
    for name, only in alone.items():
        title = name
        if only.drift and not only.time and later:  # right after programming there is nothing to see
            last = max(later, key=later.__getitem__)
            title, only = f"{name}, after {last}", only.with_(time=later[last])
        yield _Setting(title, "effect", _with(target, only), only.on(), only.time)
    yield _Setting("all", "all", target, on, everything.time)
    for name, seconds in later.items():
        yield _Setting(f"all, after {name}", "time", replace(target, time=seconds), on, seconds)
    for readout in readouts:
        if readout != target.readout:
            yield _Setting(f"all, {readout}", "readout", replace(target, readout=readout), on, everything.time)


def _with(target: Crossbar, effects: Effects) -> Crossbar:
    """The target with other effects, its time kept."""
    return replace(target, effects=effects, time=None)


def _row(
    setting: _Setting,
    network: Network,
    dt: Quantity,
    run: Run,
    score: Score,
    seeds: int,
    reference: Any,
    progress: Progress,
) -> tuple[Row, Any]:
    """A line, and what the first chip gave."""
    began = perf_counter()
    scores: list[float] = []
    first: Any = None
    costs: dict[str, Any] = {}
    for k in range(seeds):
        target: Any = setting.target
        program = (replace(target, seed=target.seed + k) if k else target).compile(network, dt, progress=False)
        result = run(program)
        scores.append(float(score(result)))
        if k == 0:
            first, report = result, program.report()
            if setting.name != "digital":
                costs = {
                    "saturated": report.saturated,
                    "conversions": report.conversions,
                    "energy": None if report.energy is None else report.energy.total,
                    "seconds": None if report.energy is None else report.time,
                }
        progress.advance()
    changes = () if reference is None else changes_of(reference, first)
    took = perf_counter() - began
    return Row(
        setting.name, setting.group, setting.effects, setting.time, tuple(scores), changes, **costs, took=took
    ), first

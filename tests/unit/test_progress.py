"""Progress: quiet unless somebody watches."""

from __future__ import annotations

import io
import sys
from typing import Any

import pytest
from rich.console import Console
from rich.progress import Progress as Bars

from neuromorph import progress
from neuromorph.progress import Silent, Terminal, progress_for


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_silent_unless_wanted_and_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert isinstance(progress_for(True), Silent)
    monkeypatch.setattr(sys, "stderr", Screen())
    assert isinstance(progress_for(True), Terminal)
    assert isinstance(progress_for(False), Silent)
    mine = Silent()
    assert progress_for(mine) is mine


def test_a_bar_shows_stages_and_goes_when_the_work_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    made: list[Any] = []

    def bars() -> Any:
        made.append(Bars(console=Console(file=screen, force_terminal=True, width=80), transient=True))
        return made[-1]

    monkeypatch.setattr(progress, "_bars", bars)
    with Terminal(delay=0.0) as shown:
        shown.stage("compiling population hidden (EGRU)")
        shown.stage("running", 10)
        shown.advance(4)
        shown.note("running, 3 events")
        task = made[0].tasks[0]
        assert (task.description, task.completed, task.total) == ("running, 3 events", 4, 10)
    assert made[0].finished or not made[0].live.is_started
    assert len(made) == 1


def test_quick_work_draws_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_bars", lambda: pytest.fail("drawn"))
    with Terminal(delay=60.0) as shown:
        shown.stage("quick", 3)
        shown.advance(3)

"""A pytest plugin for `peer_suites/nengo.py`: the simulator under test, and what became of each test."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nengo
import pytest

from neuromorph import Reference
from neuromorph.nengo import Simulator

TARGETS = {"cpu": lambda: None, "reference": lambda: Reference("float64")}
results: dict[str, dict[str, Any]] = {}
current: list[dict[str, Any]] = []


class Theirs(nengo.Simulator):  # type: ignore[misc]
    """Nengo's own simulator, under another name, since Nengo takes tests of its own front end in for its own class."""


def load(request: Any) -> type[nengo.Simulator]:
    """Nengo's hook for a backend: the class, with another target than usual where that is asked for."""
    target = os.environ.get("NEUROMORPH_SUITE_TARGET", "cpu")
    if target == "nengo":
        return Theirs
    make = TARGETS[target]
    begin = Simulator.__init__

    def counted(self: Simulator, *args: Any, **options: Any) -> None:
        begin(self, *args, **{"target": make(), **options})
        if current:
            lifted, kept = self.lifted, current[-1]
            kept["simulators"] += 1
            kept["on_target"] += sum(cells.size for cells in lifted.cells)
            kept["on_host"] += sum(op.output.size for op in lifted.host if type(op).__name__ == "SimNeurons")

    Simulator.__init__ = counted  # type: ignore[method-assign]
    return Simulator


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: Any, nextitem: Any) -> Iterator[None]:
    """Count for each test what its simulators run where."""
    current[:] = [{"outcome": "unfinished", "reason": "", "simulators": 0, "on_target": 0, "on_host": 0}]
    results[item.nodeid] = current[0]
    return (yield)


def pytest_runtest_logreport(report: Any) -> None:
    """Keep the worst of set-up, call and tear-down."""
    kept = results[report.nodeid]
    if report.when == "call" and report.outcome == "passed" and kept["outcome"] == "unfinished":
        kept["outcome"] = "passed"
    if report.outcome != "passed":
        kept["outcome"] = report.outcome if not hasattr(report, "wasxfail") else "xfailed"
        kept["reason"] = _reason(report)


def pytest_runtest_logfinish(nodeid: str) -> None:
    """Write everything down after every test, so that a run that is cut off has not been for nothing."""
    kept = Path(os.environ["NEUROMORPH_SUITE_RESULTS"])
    fresh = kept.with_suffix(".new")
    fresh.write_text(json.dumps(results, indent=1))
    fresh.replace(kept)


def _reason(report: Any) -> str:
    """The last line of what went wrong, or why a test was skipped."""
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[2]).removeprefix("Skipped: ")
    crash = getattr(report.longrepr, "reprcrash", None)
    return (crash.message if crash else str(report.longrepr)).strip().splitlines()[0][:200]

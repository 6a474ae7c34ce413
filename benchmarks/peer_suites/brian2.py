"""Brian 2's own standalone-compatible tests on the device ``neuromorph``.

    python benchmarks/peer_suites/brian2.py                 # both halves of the suite, as brian2.test() selects them
    python benchmarks/peer_suites/brian2.py --failed        # again what has not passed in the stored results
    python benchmarks/peer_suites/brian2.py --missing       # what has no stored result yet
    python benchmarks/peer_suites/brian2.py --keyword test_monitor --target cpu

Each test's outcome goes into ``benchmarks/results/brian2_suite_<target>.json`` as soon as it is known, and at the end a
table of all into the ``.md`` beside it. A test that does not pass has to be declared with its reason in
``brian2_declared.toml`` beside this script; the exit code says whether all are. ``steps`` counts what a test ran on the
engine: tests of how Brian 2 connects or initialises run none.
"""

from __future__ import annotations

import argparse
import fnmatch
import gc
import json
import os
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:] = [p for p in sys.path if Path(p or ".").resolve() != HERE]  # this file is not the package brian2
RESULTS = HERE.parent / "results"
DECLARED = HERE / "brian2_declared.toml"


class Record:
    """A pytest plugin that keeps every test's outcome, reason and steps."""

    def __init__(self, path: Path, again: Callable[[str | None], bool]) -> None:
        self.path, self.again = path, again
        self.steps = 0
        self.collected: set[str] = set()

    @property
    def tests(self) -> dict[str, dict[str, Any]]:
        """What is stored, by another process, too."""
        return json.loads(self.path.read_text()) if self.path.exists() else {}

    def store(self, tests: dict[str, dict[str, Any]]) -> None:
        """Store these results, at once and whole."""
        part = self.path.with_suffix(f".{os.getpid()}")
        part.write_text(json.dumps(dict(sorted(tests.items())), indent=1) + "\n")
        part.replace(self.path)

    def pytest_collection_modifyitems(self, config: Any, items: list[Any]) -> None:
        self.collected |= {_name(item.nodeid) for item in items}
        tests = self.tests
        endless = {_name(i.nodeid) for i in items if _declared(_name(i.nodeid), _read("endless"))}
        self.store({**tests, **{name: {"outcome": "not started", "seconds": 0.0, "steps": 0} for name in endless}})
        items[:] = [
            i
            for i in items
            if _name(i.nodeid) not in endless and self.again(tests.get(_name(i.nodeid), {}).get("outcome"))
        ]

    def pytest_collection_finish(self) -> None:
        gc.collect()
        gc.freeze()  # Brian 2 collects garbage in every run, which takes longer than most of these tests

    def pytest_runtest_setup(self) -> None:
        self.steps = 0

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.when != "call" and report.outcome == "passed":
            return
        if report.when == "teardown":
            return
        entry = {"outcome": report.outcome, "seconds": round(report.duration, 2), "steps": self.steps}
        if report.outcome != "passed":
            entry["reason"] = _reason(report)
        self.store({**self.tests, _name(report.nodeid): entry})

    def pytest_report_teststatus(self, report: Any) -> None:
        if report.when == "call":
            print(f"{report.outcome:8} {_name(report.nodeid)} {report.duration:.1f} s", flush=True)


def main() -> int:
    """Run the suite; 0 if every test passed or is declared."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--target", choices=("reference", "cpu"), default="reference")
    parser.add_argument("--keyword", default="", help="only tests that this expression of pytest's -k picks")
    parser.add_argument("--failed", action="store_true", help="only tests that did not pass in the stored results")
    parser.add_argument("--missing", action="store_true", help="only tests without a stored result")
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")

    import brian2
    import pytest
    from brian2.tests import PreferencePlugin
    from brian2.utils.logger import LOG_LEVELS, BrianLogger

    import neuromorph.brian2  # noqa: F401  makes the devices known
    from neuromorph import CPU, Reference
    from neuromorph.interchange.brian2.device.session import Session

    RESULTS.mkdir(exist_ok=True)
    again = partial(_again, options)
    record = Record(RESULTS / f"brian2_suite_{options.target}.json", again)
    run = Session.run

    def counted(self: Session, task: Any, pace: Any) -> Any:
        ended = run(self, task, pace)
        record.steps += ended.step - task.first
        return ended

    Session.run = counted  # type: ignore[method-assign]
    brian2.prefs.reset_to_defaults()
    brian2.prefs["codegen.target"] = "numpy"
    BrianLogger.console_handler.setLevel(LOG_LEVELS["ERROR"])
    device = PreferencePlugin(brian2.prefs, fail_for_not_implemented=False)
    device.device = "neuromorph"
    target = Reference() if options.target == "reference" else CPU(dtype="float64", threads=1)
    folder = str(Path(brian2.__file__).parent)
    began = time.process_time()
    for marks, build_on_run in (("and not multiple_runs", True), ("and multiple_runs", False)):
        device.device_options = {"target": target, "directory": None, "with_output": False}
        device.device_options["build_on_run"] = build_on_run
        arguments = [folder, "-c", f"{folder}/tests/pytest.ini", "--confcutdir", folder, "-qq", "--tb=short"]
        arguments += ["-p", "no:cacheprovider", "-p", "no:nengo", "--show-capture=no", "--no-header", "--no-summary"]
        arguments += ["-m", f"standalone_compatible and not long {marks}", "-k", options.keyword]
        pytest.main(arguments, plugins=[device, record])
        brian2.devices.reset_device()
    return _conclude(record, options, time.process_time() - began)


def _conclude(record: Record, options: argparse.Namespace, seconds: float) -> int:
    declared = _read("tests") | _read("endless")
    whole = not options.keyword
    tests = {name: entry for name, entry in record.tests.items() if not whole or name in record.collected}
    record.store(tests)
    outcomes = Counter(entry["outcome"] for entry in tests.values())
    stepped = sum(entry["outcome"] == "passed" and entry["steps"] > 0 for entry in tests.values())
    rest = {name: _declared(name, declared) for name, entry in tests.items() if entry["outcome"] != "passed"}
    undeclared = [name for name, reason in rest.items() if reason is None]
    lines = [
        f"# Brian 2's standalone-compatible tests on the device `neuromorph`, target `{options.target}`",
        "",
        f"`python benchmarks/peer_suites/brian2.py --target {options.target}`",
        "",
        f"{len(tests)} tests: {outcomes['passed']} passed, of which {stepped} ran steps on the engine; "
        f"{outcomes['skipped']} skipped, {outcomes['failed']} failed, {outcomes['not started']} not started; "
        f"{len(undeclared)} of these without a declared "
        "reason.",
        "",
        "| not passed | reason |",
        "|---|---|",
        *(f"| {name} | {reason or tests[name]['reason']} |" for name, reason in rest.items()),
    ]
    record.path.with_suffix(".md").write_text("\n".join(lines) + "\n")
    print(lines[4], f"{seconds:.0f} s of CPU")
    for name in undeclared:
        print(f"undeclared: {name}: {tests[name]['reason']}")
    return 1 if undeclared else 0


def _again(options: argparse.Namespace, outcome: str | None) -> bool:
    """Whether to run a test that has this stored outcome."""
    if options.missing:
        return outcome is None
    return outcome != "passed" if options.failed else True


def _read(section: str) -> dict[str, str]:
    """Tests that are declared not to pass, with their reasons."""
    found: dict[str, str] = tomllib.loads(DECLARED.read_text())[section]
    return found


def _declared(name: str, declared: dict[str, str]) -> str | None:
    for pattern, reason in declared.items():
        if fnmatch.fnmatchcase(name, pattern):
            return reason
    return None


def _name(node: str) -> str:
    """File and test, without the folder that this Python keeps Brian 2 in."""
    return node[node.rfind("/") + 1 :].replace(".py::", "::")


def _reason(report: Any) -> str:
    """What the test said, in one line."""
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[2])[:300]
    crash = getattr(report.longrepr, "reprcrash", None)
    text = crash.message if crash is not None else str(report.longrepr)
    chain = getattr(report.longrepr, "chain", None)
    if chain:
        text = next((str(link[1].message) for link in chain if link[1] is not None), text)
    return " ".join(text.split())[:300]


if __name__ == "__main__":
    sys.exit(main())

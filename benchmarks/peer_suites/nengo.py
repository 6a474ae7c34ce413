"""Nengo's own test suite for backends, run on ``neuromorph.nengo.Simulator``.

It needs Nengo 4.1.0 with its tests and pytest before 9, whose hooks Nengo's plugin was written for, beside neuromorph:
``pip install "nengo[tests]==4.1.0" "pytest<9" pytest-allclose pytest-plt pytest-rng "setuptools<81"``.

``python benchmarks/peer_suites/nengo.py --out benchmarks/results`` runs all of it and writes ``peer_nengo.json`` and
``peer_nengo.md``; with ``-k EXPRESSION`` it runs a part, whose results take the place of the stored ones.
``nengo_declared.json`` lists the tests that need not pass, each with its reason; any other failure is an error, and so
is a declared test that passes. ``--target nengo`` runs Nengo's own simulator instead: what fails there, too, is no
fault of ours.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
DECLARED = HERE / "nengo_declared.json"
NEURONS = ("LIF", "LIFRate", "RectifiedLinear", "SpikingRectifiedLinear", "AdaptiveLIF", "Izhikevich")


def run(
    expression: str = "", target: str = "cpu", timeout: float | None = None, slow: bool = False
) -> dict[str, dict[str, Any]]:
    """Run the suite in a process of its own.

    Parameters
    ----------
    expression : str
        Choose tests, as pytest's ``-k``.
    target : {"cpu", "reference", "nengo"}
        "nengo": Nengo's own simulator, to compare with.
    timeout : float, optional
        Seconds after which it is stopped; the tests done until then are returned.
    slow : bool
        Also tests that Nengo marks as slow, and skips otherwise.

    Returns
    -------
    dict of test to what became of it
        Its ``outcome``, ``reason``, number of ``simulators``, and neurons ``on_target`` and ``on_host``.
    """
    with tempfile.TemporaryDirectory() as folder:
        lines = [
            "[pytest]",
            "nengo_simloader = nengo_backend.load",
            "nengo_neurons =",
            *(f"    nengo.{n}" for n in NEURONS),
        ]
        (Path(folder) / "pytest.ini").write_text("\n".join(lines) + "\n")
        kept = Path(folder) / "results.json"
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(
                [str(HERE / "plugins"), str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")]
            ),
            "NEUROMORPH_SUITE_RESULTS": str(kept),
            "NEUROMORPH_SUITE_TARGET": target,
        }
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-c",
            "pytest.ini",
            "--rootdir=.",
            "--pyargs",
            "nengo",
            "--noexamples",
        ]
        command += ["-q", "-p", "no:cacheprovider", "-p", "nengo_backend", "--tb=short"]
        command += ["-k", expression] if expression else []
        command += ["--slow"] if slow else []
        try:
            subprocess.run(command, cwd=folder, env=environment, timeout=timeout, check=False)
        except subprocess.TimeoutExpired:
            print(f"given up after {timeout} s; what was done until then counts", file=sys.stderr)
        if not kept.exists():
            raise SystemExit("pytest wrote no results; its messages are above")
        results = json.loads(kept.read_text())
        return {test: found for test, found in results.items() if found["outcome"] != "unfinished"}


def judged(results: dict[str, dict[str, Any]], declared: dict[str, str]) -> tuple[list[str], list[str]]:
    """Tests that failed and are not declared, and declared ones that passed."""
    failed = [test for test, kept in results.items() if kept["outcome"] == "failed" and test not in declared]
    stale = [test for test, kept in results.items() if kept["outcome"] == "passed" and test in declared]
    return failed, stale


def summary(results: dict[str, dict[str, Any]], declared: dict[str, str], target: str) -> str:
    """A page of Markdown."""
    counts = Counter(kept["outcome"] for kept in results.values())
    totals = {key: sum(kept[key] for kept in results.values()) for key in ("simulators", "on_target", "on_host")}
    skipped = Counter(kept["reason"] for kept in results.values() if kept["outcome"] == "skipped")
    failed = judged(results, declared)[0]
    numbers = (len(results), counts["passed"], counts["failed"] - len(failed), len(failed), counts["skipped"])
    versions = ", ".join(f"{name} {version(name.lower())}" for name in ("Nengo", "NumPy", "pytest"))
    lines = [
        "# Nengo's suite for backends",
        "",
        f"`python benchmarks/peer_suites/nengo.py --target {target} --out benchmarks/results`; {versions}; "
        f"neurons {', '.join(NEURONS)}.",
        "",
        "| collected | passed | failed, declared | failed | skipped by Nengo |",
        "|---|---|---|---|---|",
        f"| {' | '.join(map(str, numbers))} |",
        "",
        f"{totals['simulators']:,} simulators were built. Of their neurons {totals['on_target']:,} ran on the target, "
        f"{totals['on_host']:,} on the host.",
        "",
        "| declared | reason |",
        "|---|---|",
        *(f"| `{test}` | {reason} |" for test, reason in declared.items()),
        "",
        "| skipped | reason |",
        "|---|---|",
        *(f"| {count} tests | {reason} |" for reason, count in skipped.items()),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-k", dest="expression", default="", help="choose tests; the stored results of others stay")
    parser.add_argument("--timeout", type=float, help="stop after so many seconds, and store what was done")
    parser.add_argument("--target", choices=("cpu", "reference", "nengo"), default="cpu")
    parser.add_argument("--slow", action="store_true", help="also what Nengo marks as slow")
    parser.add_argument("--out", type=Path, help="folder for peer_nengo.json and peer_nengo.md")
    options = parser.parse_args()
    declared = json.loads(DECLARED.read_text())
    results = run(options.expression, options.target, options.timeout, options.slow)
    if options.out:
        stored = options.out / "peer_nengo.json"
        if options.expression and stored.exists():
            results = {**json.loads(stored.read_text()), **results}
        stored.write_text(json.dumps(results, indent=1) + "\n")
        (options.out / "peer_nengo.md").write_text(summary(results, declared, options.target))
    failed, stale = judged(results, declared)
    for test in failed:
        print(f"not declared: {test}: {results[test]['reason']}")
    for test in stale:
        print(f"declared, and passes: {test}")
    sys.exit(bool(failed or stale))


if __name__ == "__main__":
    main()

"""Our CPU engine and every installed peer on the same networks, in one run, taking turns.

    python benchmarks/engine.py [CASE ...] [--repeats 5] [--peers NAME ...] [--large] [--slow] [--out FOLDER]

Cases are in ``engine_cases.py``, simulators in ``peers/``; ``benchmarks/README.md`` says how to install them and how to
read the result. Each simulator builds and compiles in a process of its own, then they run in turn, A B C A B C, each on
from where it stopped; only the run is timed. Peers run on 1, 2, 4 ... all cores, and their best counts. Firing rates
must agree within the spread over seeds. What a peer cannot do, or where it ends early, is a line in the table.

Writes ``engine.json``, ``engine.md``, ``engine.csv`` and ``engine.png`` into the folder.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import engine_footprint
import engine_report
from engine_cases import CASES, Case
from engine_process import Process, cores
from peers import PEERS, Peer

SCRATCH = Path(__file__).resolve().parents[1] / "out" / "benchmarks"
SEEDS = 8
"""Seeds whose results tell how far those of one network scatter."""
SCATTER = 3.7
"""Deviations from our mean within which 99 of 100 further seeds lie: Student's t for eight, times sqrt(1 + 1/8)."""
TOLERANCE = 0.02
"""Results that differ by less than this fraction agree anyway, unless the case says otherwise."""
HOPELESS = (20.0, 4.0)
"""A peer so many times slower than the fastest one sits out after its first turn, or after its second."""


@dataclass
class Entry:
    """One simulator with one number of threads, and what was measured.

    Attributes
    ----------
    walls : list of float
        Seconds for each biological second, or for each token.
    results : list of dict
        Rates of each turn.
    failed : str
        Why there are no times; empty if there are.
    """

    peer: Peer
    threads: int
    process: Process
    walls: list[float] = field(default_factory=list)
    results: list[dict[str, float]] = field(default_factory=list)
    memory: int = 0
    failed: str = ""
    agrees: bool = True

    @property
    def fastest(self) -> float:
        """Of the times; infinite without any."""
        return min(self.walls, default=float("inf"))

    @property
    def compared(self) -> dict[str, float]:
        """Results of the first turn: at the same biological time in all."""
        return self.results[0] if self.results else {}


def thread_counts(peer: Peer) -> Sequence[int]:
    """1, 2, 4 ... all cores; ours chooses itself (0) and runs on one."""
    if peer.own:
        return (0, 1)
    counts = [1]
    while peer.threaded and counts[-1] < cores():
        counts.append(min(2 * counts[-1], cores()))
    return counts


def entries_for(case: Case, peers: Iterable[Peer], folder: Path, slow: bool) -> list[Entry]:
    """A process for each simulator and number of threads that runs this case."""
    entries = []
    for peer in peers:
        if case.network not in peer.networks:
            continue
        absent = "" if find_spec(peer.package) else "not installed"
        skipped = {} if slow else case.left_out
        if absent or peer.name in skipped:
            entries.append(Entry(peer, 0, Process(peer, case, 0, 0, folder), failed=absent or skipped[peer.name]))
            continue
        for threads in thread_counts(peer):
            process = Process(peer, case, threads, 0, folder / f"{case.name}-{peer.name}-{threads}")
            entries.append(Entry(peer, threads, process, failed=skipped.get(f"{peer.name}-{threads}", "")))
    return entries


def build(entries: Sequence[Entry], warm_up: float) -> None:
    """Build and compile, as many at once as there are cores, and run the first moments of each."""

    def one(entry: Entry) -> None:
        entry.failed = entry.process.build()

    with ThreadPoolExecutor(cores()) as pool:
        list(pool.map(one, (entry for entry in entries if not entry.failed)))
    for entry in entries:
        if not entry.failed and warm_up:
            turn(entry, warm_up)
            entry.walls.clear()
            entry.results.clear()


def turn(entry: Entry, seconds: float) -> None:
    """Let an entry run for some biological seconds and note its time."""
    answer = entry.process.run(seconds)
    if isinstance(answer, str):
        entry.failed = answer
        return
    entry.walls.append(answer["wall"] / (seconds if entry.process.case.per == "second" else seconds * 1000))
    entry.results.append(answer["results"])
    entry.memory = answer["memory"]


def spread(case: Case, folder: Path) -> dict[str, tuple[float, float]]:
    """Mean and deviation over seeds of each result of ours, over one turn."""
    results = []
    ours = next(peer for peer in PEERS if peer.name == "ours")
    for seed in range(1, SEEDS + 1):
        process = Process(ours, case, 0, seed, folder / f"{case.name}-ours-0")
        answer: dict[str, Any] | str = process.build()
        for seconds in (case.warm_up, case.seconds) if not answer else ():
            answer = process.run(seconds) if seconds else ""
        process.stop()
        if isinstance(answer, str):
            print(f"our engine failed with seed {seed}, so nothing can be said of agreement: {answer}")
            return {}
        results.append(answer["results"])
    return {name: (mean(r[name] for r in results), stdev(r[name] for r in results)) for name in results[0]}


def agrees(case: Case, results: dict[str, float], expected: dict[str, tuple[float, float]]) -> bool:
    """Whether results, those that there are, lie where further seeds of ours would."""
    return all(
        abs(value - expected[name][0])
        <= max(SCATTER * expected[name][1], case.tolerances.get(name, TOLERANCE) * abs(expected[name][0]))
        for name, value in results.items()
        if name in expected
    )


def measure(case: Case, peers: Iterable[Peer], repeats: int, folder: Path, slow: bool = False) -> engine_report.Case:
    """Build all, let them take turns, check that they agree."""
    print(f"\n{case.title}", flush=True)
    entries = entries_for(case, peers, folder, slow)
    try:
        build(entries, case.warm_up)
        for number in range(repeats):
            at_work = [e for e in entries if not e.failed]
            best = min((e.fastest for e in at_work if not e.peer.own), default=float("inf"))
            for entry in at_work:
                if number == 0 or entry.peer.own or entry.fastest <= HOPELESS[min(number, 2) - 1] * best:
                    turn(entry, case.seconds)
    finally:
        for entry in entries:
            entry.process.stop()
    peers_ran = any(entry.results and not entry.peer.own for entry in entries)
    expected = spread(case, folder) if peers_ran else {}
    for entry in entries:
        entry.agrees = agrees(case, entry.compared, expected)
    measured = engine_report.Case(
        name=case.name, title=case.title, per=case.per, expected=expected, rows=tuple(map(row, entries))
    )
    print(engine_report.text(measured), flush=True)
    return measured


def row(entry: Entry) -> engine_report.Row:
    """What a report keeps of an entry."""
    return engine_report.Row(
        peer=entry.peer.name,
        own=entry.peer.own,
        title=entry.peer.title,
        version=entry.process.version,
        threads=entry.threads,
        times=tuple(entry.walls),
        results=entry.compared,
        agrees=entry.agrees,
        memory=entry.memory,
        build=entry.process.build_seconds,
        note=entry.process.note,
        failed=entry.failed,
    )


def main() -> None:
    """Measure and write the report."""
    names = [case.name for case in CASES]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", help=f"default: all but the largest; {', '.join(names)}")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--peers", nargs="*", default=[peer.name for peer in PEERS], help="default: all")
    parser.add_argument("--large", action="store_true", help="also the largest networks, which need some GB")
    parser.add_argument("--slow", action="store_true", help="also peers that take minutes for a case")
    parser.add_argument("--no-footprint", action="store_true", help="skip memory and start-up times")
    parser.add_argument("--builds", type=Path, default=SCRATCH / "builds", help="where code is compiled")
    parser.add_argument("--out", type=Path, default=SCRATCH)
    options = parser.parse_args()
    unknown = [name for name in options.cases if name not in names]
    unknown += [name for name in options.peers if name not in [peer.name for peer in PEERS]]
    if unknown:
        parser.error(f"no such case or peer: {', '.join(unknown)}")
    chosen = [c for c in CASES if c.name in options.cases or (not options.cases and (options.large or not c.large))]
    peers = [peer for peer in PEERS if peer.own or peer.name in options.peers]
    measured = [measure(case, peers, options.repeats, options.builds, options.slow) for case in chosen]
    footprint = None if options.no_footprint else engine_footprint.measure(options.large)
    result = engine_report.Result(engine_report.machine(), tuple(measured), footprint)
    engine_report.write(result, options.out)
    print(f"\n{engine_report.summary(result)}\n\nwritten to {options.out}")


if __name__ == "__main__":
    main()

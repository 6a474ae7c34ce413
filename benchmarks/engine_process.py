"""The other end of ``engine_worker.py``: a simulator in a process of its own, which may crash or hang."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from engine_cases import Case
from peers import Peer

WORKER = Path(__file__).with_name("engine_worker.py")
PATIENCE = 600.0
"""Seconds to wait for an answer."""


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


class Process:
    """One network in one simulator.

    Parameters
    ----------
    peer : Peer
    case : Case
    threads : int
        0 leaves the choice to the simulator.
    seed : int
    folder : Path
        For generated code and the log.

    Attributes
    ----------
    build_seconds : float
        To build and compile.
    version, note : str
        What the simulator said of itself.
    """

    def __init__(self, peer: Peer, case: Case, threads: int, seed: int, folder: Path) -> None:
        self.peer, self.case, self.threads, self.seed = peer, case, threads, seed
        self.folder = folder
        self.build_seconds = 0.0
        self.version = self.note = ""
        self._process: subprocess.Popen[str] | None = None
        self._answers: queue.Queue[str | None] = queue.Queue()

    @property
    def _log(self) -> Path:
        return self.folder.with_suffix(".log")

    def build(self) -> str:
        """Start, and wait until the network is built; gives what went wrong, or nothing."""
        self.folder.mkdir(parents=True, exist_ok=True)
        threads = str(self.threads or cores())
        environment = os.environ | {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
        arguments = [self.peer.name, self.case.network, json.dumps(dict(self.case.parameters))]
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, str(WORKER), *arguments, str(self.threads), str(self.seed), str(self.folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=environment,
            )
        threading.Thread(target=self._read, daemon=True).start()
        answer = self._answer()
        if isinstance(answer, str):
            return answer
        self.build_seconds, self.version, self.note = answer["build"], answer["version"], answer["note"]
        return ""

    def run(self, seconds: float) -> dict[str, Any] | str:
        """Run on for so many biological seconds; gives what was measured, or what went wrong."""
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            print(seconds, file=self._process.stdin, flush=True)
        except BrokenPipeError:
            return self._death()
        return self._answer()

    def stop(self) -> None:
        """End the process."""
        if self._process is None:
            return
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # it ended by itself
            self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._answers.put(line)
        self._answers.put(None)

    def _answer(self) -> dict[str, Any] | str:
        began = time.perf_counter()
        try:
            line = self._answers.get(timeout=PATIENCE)
        except queue.Empty:
            assert self._process is not None
            self._process.kill()
            return f"no answer in {time.perf_counter() - began:.0f} s"
        return self._death() if line is None else json.loads(line)

    def _death(self) -> str:
        assert self._process is not None
        status = self._process.wait()
        lines = [line.strip() for line in self._log.read_text().splitlines() if line.strip()]
        return f"ended with status {status}: {lines[-1] if lines else 'no message'}"

"""A process that holds one network of one simulator and runs it on when told to.

    python engine_worker.py PEER NETWORK PARAMETERS-AS-JSON THREADS SEED FOLDER

Answers a line of JSON when the network is built, and one for each line of biological seconds that it reads.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from peers import Setup


def peak_memory(pid: int) -> int:
    """Most bytes that a process has had in memory."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def main() -> None:
    """Build, answer, and run until the input ends."""
    peer, network, parameters, threads, seed, folder = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a simulator prints goes to the log

    def answer(**values: Any) -> None:
        print(json.dumps(values), file=answers, flush=True)

    began = time.perf_counter()
    module = importlib.import_module(f"peers.{peer}")
    setup = Setup(int(threads), int(seed), Path(folder).resolve())
    built = module.NETWORKS[network](json.loads(parameters), setup)
    answer(build=time.perf_counter() - began, version=module.version(), note=built.note)
    for line in sys.stdin:
        measured = built.run(float(line))
        answer(wall=measured.wall, results=dict(measured.results), memory=peak_memory(built.pid or os.getpid()))


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Set neuromorph up in a virtual environment of its own (.venv beside this file) and run something in it.

    python3 bootstrap.py demo     # the main job: MNIST on simulated SpiNNaker2
    python3 bootstrap.py test     # the whole test suite
    python3 bootstrap.py check    # lint, format and type checks
    python3 bootstrap.py shell -- python examples/braille.py

Needs Python 3.11 or later and nothing else; what comes after the command is handed on.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
EXTRAS = {"demo": "plot", "shell": "plot", "test": "test", "check": "test,lint"}


def create_venv() -> None:
    """Make the environment, with the standard library's venv or, where Debian left it out, with virtualenv."""
    if PYTHON.exists():
        return
    made = subprocess.run([sys.executable, "-m", "venv", str(VENV)], capture_output=True, text=True, check=False)
    if made.returncode and subprocess.run([sys.executable, "-m", "virtualenv", str(VENV)], check=False).returncode:
        advice = "Install python3-venv, or run this with a Python that has it."
        sys.exit(f"bootstrap: cannot create {VENV}:\n{made.stderr or made.stdout}{advice}")


def install(extra: str) -> None:
    """Install the project (editable) with ``extra``, unless that was done for this very setup.cfg."""
    stamp = VENV / f".installed-{extra}"
    wanted = hashlib.sha256((ROOT / "setup.cfg").read_bytes() + str(ROOT).encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print(f"bootstrap: installing neuromorph[{extra}] into {VENV} ...", file=sys.stderr, flush=True)
    pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if subprocess.run([*pip, "--editable", f"{ROOT}[{extra}]"], check=False).returncode:
        sys.exit("bootstrap: pip could not install the packages named in setup.cfg (its message stands above)")
    stamp.write_text(wanted)


def commands(what: str, rest: list[str]) -> list[list[str]]:
    """Command lines that ``what`` stands for."""
    python = str(PYTHON)
    if what == "demo":
        return [[python, "-m", "neuromorph", "demo", *rest]]
    if what == "test":
        return [[python, "-m", "pytest", "-n", "auto", "--dist", "loadscope", *rest]]
    if what == "check":
        return [
            [python, "-m", "ruff", "check", "."],
            [python, "-m", "ruff", "format", "--check", "."],
            [python, "-m", "mypy"],
        ]
    return [rest[1:] if rest[:1] == ["--"] else rest]


def main(arguments: list[str]) -> int:
    """Entry point."""
    if sys.version_info < (3, 11):
        sys.exit(f"bootstrap: neuromorph needs Python 3.11 or later; this is {sys.version.split()[0]}")
    if not arguments or arguments[0] not in EXTRAS or arguments == ["shell"]:
        print(__doc__)
        return 2
    what, rest = arguments[0], arguments[1:]
    create_venv()
    install(EXTRAS[what])
    environment = {
        **os.environ,
        "PATH": f"{VENV / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}",
        "VIRTUAL_ENV": str(VENV),
    }
    results = [
        subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode for command in commands(what, rest)
    ]
    return max(results, key=abs)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)

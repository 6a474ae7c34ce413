"""The parts of README that benchmarks write, each between two comments; the first names the script."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
END = "<!-- to here -->"


def quoted(text: str, script: str) -> tuple[str, str, str]:
    """README up to the part of a script, comment included, the part, and the rest."""
    begin = f"<!-- python benchmarks/{script} writes from here -->"
    before, rest = text.split(begin, 1)
    within, behind = rest.split(END, 1)
    return before + begin, within.strip(), END + behind


def put(script: str, part: str) -> None:
    """Write the part of a script into README."""
    page = ROOT / "README.md"
    before, _, behind = quoted(page.read_text(), script)
    page.write_text(f"{before}\n{part}\n{behind}")

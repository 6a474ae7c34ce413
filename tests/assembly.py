"""Looking at the machine code of kernels: innermost loops, what their instructions do and on how many numbers.

Only x86-64 is read; elsewhere, or on a processor without 256-bit vectors, :func:`require_vectors` skips the test.
"""

from __future__ import annotations

import platform
import re
from dataclasses import dataclass
from functools import cache

import pytest
from llvmlite import binding

_LABEL = re.compile(r"^(\.?LBB\w+):")
_JUMP = re.compile(r"^j\w+\s+(\.?LBB\w+)")
_MEMORY = re.compile(r"\)(\s*\{%k\d\})?$")
_ARITHMETIC = re.compile(r"^v?(add|sub|mul|div|sqrt|max|min|fn?m(add|sub)\w*|rndscale|round|cvt\w+?)(?=[ps][sd]$)")


@dataclass(frozen=True)
class Instruction:
    """A mnemonic and its operands, as text."""

    name: str
    operands: str

    @property
    def bits(self) -> int:
        """Width of the widest vector register that it names; 0: none."""
        widths = {"z": 512, "y": 256, "x": 128}
        return max((widths[kind] for kind in re.findall(r"%([zyx])mm", self.operands)), default=0)

    @property
    def is_call(self) -> bool:
        return self.name.startswith("call")

    @property
    def is_vector(self) -> bool:
        """Works on a vector register."""
        return self.name.startswith("v") and self.bits > 0

    @property
    def is_store(self) -> bool:
        """Writes to memory: the last operand is an address."""
        return self.name.startswith(("mov", "vmov", "vpmov", "vextract", "vpextr")) and bool(
            _MEMORY.search(self.operands)
        )

    @property
    def is_scalar_float(self) -> bool:
        """Arithmetic on one float: addition, ..., conversion."""
        return bool(_ARITHMETIC.match(self.name)) and self.name[-2] == "s"

    @property
    def is_vector_float(self) -> bool:
        """Arithmetic on several floats."""
        return bool(_ARITHMETIC.match(self.name)) and self.name[-2] == "p"


Loop = tuple[Instruction, ...]


def require_vectors() -> int:
    """Bits of the widest vector register; skips the test where they are unknown or narrow."""
    if platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip(f"reads the instructions of x86-64 alone, not of {platform.machine()}")
    width = _width()
    if width < 256:
        pytest.skip("this processor has no 256-bit vectors")
    return width


@cache
def _width() -> int:
    features = binding.get_host_cpu_features()
    return 512 if features.get("avx512f") else 256 if features.get("avx2") else 128


def instructions(assembly: str) -> Loop:
    """All instructions, in order."""
    return tuple(made for line in assembly.splitlines() if (made := _instruction(line)) is not None)


def innermost_loops(assembly: str) -> list[Loop]:
    """Instructions from the target of each jump backward to the jump, without loops that hold others."""
    lines = assembly.splitlines()
    labels = {match[1]: k for k, line in enumerate(lines) if (match := _LABEL.match(line))}
    spans: dict[int, int] = {}
    for k, line in enumerate(lines):
        match = _JUMP.match(line.strip())
        if match and labels.get(match[1], k) < k:
            first = labels[match[1]]
            spans[first] = min(spans.get(first, k), k)
    inner = [
        (a, b) for a, b in spans.items() if not any(a <= c and d <= b and (a, b) != (c, d) for c, d in spans.items())
    ]
    return [instructions("\n".join(lines[a : b + 1])) for a, b in sorted(inner)]


def vector_loops(assembly: str, bits: int = 128) -> list[Loop]:
    """Innermost loops that do arithmetic on vectors of floats of at least so many bits."""
    loops = innermost_loops(assembly)
    return [loop for loop in loops if any(i.is_vector_float and i.bits >= bits for i in loop)]


def called(assembly: str) -> set[str]:
    """Names of the functions that are called directly."""
    return {i.operands.split("@")[0] for i in instructions(assembly) if i.is_call and not i.operands.startswith("*")}


def _instruction(line: str) -> Instruction | None:
    text = line.split("#")[0].strip()
    if not text or text.startswith(".") or text.endswith(":"):
        return None
    name, _, operands = text.partition("\t")
    return Instruction(name.strip(), operands.strip())

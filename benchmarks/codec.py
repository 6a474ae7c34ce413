"""How quickly formats encode and decode on one core, beside memcpy and zlib at level 1, and how many bits each takes.

    python benchmarks/codec.py [--values 16777216] [--turns 5] [--json FILE]

GB/s of decoded numbers in seconds of the processor, the best of the turns. Contestants take turns. ``checked`` goes to
bytes with header and CRC32 and back. zlib compresses the levels that SPARK encodes, one byte each (its signs are not
counted in bits then); memcpy copies them.
"""

from __future__ import annotations

import argparse
import json
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.formats import Encoded, Fixed, Float, Int, NumberFormat, Spark

Array = npt.NDArray[Any]


def sources(count: int) -> dict[str, Array]:
    """Levels 0 to 255 by the distributions that the page on formats names."""
    rng = np.random.default_rng(1)
    laplace = np.abs(rng.laplace(size=count))
    return {
        "uniform": rng.integers(0, 256, count).astype(np.uint8),
        "Laplace, largest 255": np.rint(laplace * (255 / laplace.max())).astype(np.uint8),
        "Laplace, 80 % short": np.minimum(np.rint(laplace * (7.5 / np.quantile(laplace, 0.8))), 255).astype(np.uint8),
        "all short": rng.integers(0, 8, count).astype(np.uint8),
        "all long": rng.integers(8, 256, count).astype(np.uint8),
    }


def seconds(work: Callable[[], Any]) -> float:
    """Seconds of the processor."""
    start = time.process_time()
    work()
    return time.process_time() - start


def contestants(
    levels: Array,
) -> dict[str, tuple[Callable[[], Any], Callable[[Any], Any], Callable[[Any], float], int]]:
    """Name: encode, decode what that gave, bits for each value, and bytes of the decoded numbers."""
    sign = np.where(np.random.default_rng(2).random(levels.size) < 0.5, -1, 1).astype(np.int16)
    signed = levels * sign
    floats = signed.astype(np.float32)

    def of(form: NumberFormat, values: Array) -> Any:
        return (
            lambda: form.encode(values),
            lambda e: e.decode(),
            lambda e: e.bits_per_value,
            form.encode(values[:1]).dtype.itemsize * values.size,
        )

    n = levels.size
    return {
        "memcpy": (levels.copy, lambda e: e.copy(), lambda e: 8.0, n),
        "zlib level 1": (lambda: zlib.compress(levels, 1), zlib.decompress, lambda e: 8 * len(e) / n, n),
        "SPARK, bytes": of(Spark(sign="unsigned"), levels),
        "SPARK nearest, bytes": of(Spark("nearest", sign="unsigned"), levels),
        "SPARK, bytes, checked": (
            lambda: Spark(sign="unsigned").encode(levels).tobytes(),
            lambda e: Encoded.frombytes(e).decode(),
            lambda e: 8 * len(e) / n,
            n,
        ),
        "SPARK, signed int16": of(Spark(), signed),
        "SPARK, float32": of(Spark(scale=1.0), floats),
        "int8, float32": of(Int(8, scale=2.0), floats),
        "int4, float32": of(Int(4, scale=36.0), floats),
        "fixed 16.6, float32": of(Fixed(16, 6), floats),
        "float16, float32": of(Float(16), floats),
    }


def measure(levels: Array, turns: int) -> dict[str, dict[str, float]]:
    """GB/s and bits of every contestant."""
    found: dict[str, dict[str, float]] = {}
    entries = contestants(levels)
    for turn in range(turns + 1):
        for name, (encode, decode, bits, size) in entries.items():
            if name.startswith("zlib") and turn > 2:
                continue
            made = encode()
            if not turn:  # the first turn compiles
                decode(made)
                found[name] = {"encode": 0.0, "decode": 0.0, "bits": bits(made)}
                continue
            found[name]["encode"] = max(found[name]["encode"], size / seconds(encode) / 1e9)
            found[name]["decode"] = max(found[name]["decode"], size / seconds(lambda: decode(made)) / 1e9)  # noqa: B023
    return found


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--values", type=int, default=1 << 24)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    results = {}
    for source, levels in sources(options.values).items():
        results[source] = measure(levels, options.turns)
        print(f"\n{source}: {options.values} values\n{'':24} {'encode GB/s':>12} {'decode GB/s':>12} {'bits':>6}")
        for name, row in results[source].items():
            print(f"{name:24} {row['encode']:12.2f} {row['decode']:12.2f} {row['bits']:6.2f}")
    if options.json:
        options.json.write_text(json.dumps({"values": options.values, "results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()

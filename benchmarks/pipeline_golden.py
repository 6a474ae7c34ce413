"""HG-PIPE's public DeiT-tiny, operator by operator and as a whole network, against the results that came with it.

    python benchmarks/pipeline_golden.py CASE            # CASE: the folder "case" of the public source
    python benchmarks/pipeline_golden.py CASE --excerpt tests/data/hgpipe/block0.npz

Every operator gets its own recorded input; then one image goes through the whole network, each operator taking what the
one before it gave. Both must equal the recorded results in every element.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.mapping.pipeline.integer import IntegerTransformer, calibrate_rows, published
from neuromorph.mapping.pipeline.integer.published import PublishedFiles

Array = npt.NDArray[Any]
ROWS = 4
"""Rows of each operator's recorded input and output that the excerpt has."""
BLOCKS = (0, 4, 11)
"""Blocks that are in the excerpt: the first one whole, of the others tables and rows."""


def cases(network: IntegerTransformer, files: PublishedFiles) -> Iterator[tuple[str, Array, Array]]:
    """Name, what an operator gives for its recorded input, and what was recorded."""
    for number, (attention, mlp) in enumerate(network.blocks):
        name = f"attn_{number}"

        def rows(part: str, columns: int, name: str = name) -> Array:
            return files[f"{name}_{part}"].reshape(-1, columns)

        yield f"{name} layernorm", attention.norm.apply(rows("lnq_input", 192)), rows("lnq_output", 192)
        for part, matmul in (("q", attention.q), ("k", attention.k), ("v", attention.v), ("o", attention.o)):
            found = matmul.apply(rows(f"gen_{part}_matmul_input", 192))
            yield f"{name} {part}", found, rows(f"gen_{part}_matmul_output", 192)
        for part, requant in attention.requant.items():
            yield (
                f"{name} {part} requant",
                requant.apply(files[f"{name}_{part}q_input"]),
                files[f"{name}_{part}q_output"],
            )
        left, right = (rows(f"gen_r_matmul_{part}", 64).reshape(3, 196, 64) for part in ("input", "weight"))
        yield f"{name} qk", attention.qk.apply(left, right), rows("gen_r_matmul_output", 196)
        yield f"{name} softmax", attention.softmax.apply(rows("softmaxq_input", 196)), rows("softmaxq_output", 196)
        left, right = (rows(f"gen_a_matmul_{part}", 196).reshape(3, -1, 196) for part in ("input", "weight"))
        yield f"{name} rv", attention.rv.apply(left, right), rows("gen_a_matmul_output", 64)
        carried, main = rows("input", 192), rows("gen_o_matmul_output", 192)
        yield f"{name} residual", attention.residual.apply(carried, main), rows("output", 192)

        name = f"mlp_{number}"
        yield f"{name} layernorm", mlp.norm.apply(rows("lnq_input", 192, name)), rows("lnq_output", 192, name)
        yield f"{name} fc1", mlp.fc1.apply(rows("matmul1_input", 192, name)), rows("matmul1_output", 768, name)
        yield f"{name} gelu", mlp.gelu.apply(rows("geluq_input", 768, name)), rows("geluq_output", 768, name)
        yield f"{name} fc2", mlp.fc2.apply(rows("matmul2_input", 768, name)), rows("matmul2_output", 192, name)
        carried, main = rows("input", 192, name), rows("matmul2_output", 192, name)
        yield f"{name} residual", mlp.residual.apply(carried, main), rows("output", 192, name)
    patches = files["patch_embed_input"].reshape(196, 768)
    yield "patch_embed", network.patch_embed.apply(patches), files["patch_embed_output"]
    yield "head layernorm", network.norm.apply(files["head_lnq_input"][None]), files["head_lnq_output"]
    yield "head", network.head.apply(files["head_matmul_input"][None]), files["head_matmul_output"]


def compare(folder: Path) -> int:
    """Print mismatches of every operator and of the whole network; returns their number."""
    files, network = PublishedFiles(folder), published(folder)
    operators = elements = wrong = 0
    for name, found, recorded in cases(network, files):
        different = int(np.count_nonzero(np.asarray(found).ravel() != recorded.ravel()))
        operators, elements, wrong = operators + 1, elements + recorded.size, wrong + different
        if different:
            print(f"{name}: {different} of {recorded.size} elements differ")
    print(f"operators alone: {operators} cases, {elements:,} elements, {wrong} mismatches")

    results = {"patch_embed.project": "patch_embed_output", "head.classes": "head_output"}
    results |= {f"attn{number}.residual": f"attn_{number}_output" for number in range(len(network.blocks))}
    results |= {f"mlp{number}.residual": f"mlp_{number}_output" for number in range(len(network.blocks))}
    seen: dict[str, Array] = {}

    def keep(name: str, values: Array) -> None:
        if name in results:
            seen[name] = values

    patches = files["patch_embed_input"].reshape(196, 768)
    network.run(patches)
    began = time.perf_counter()
    logits = network.run(patches, hook=keep)
    took = time.perf_counter() - began
    chained = sum(int(np.count_nonzero(seen[name].ravel() != files[file])) for name, file in results.items())
    chained += int(np.count_nonzero(logits != files["network_output"]))
    total = sum(values.size for values in seen.values()) + logits.size
    print(f"whole network:   {len(results)} blocks and the logits, {total:,} elements, {chained} mismatches")
    print(f"class {int(logits.argmax())}; {took:.3f} s an image")
    return wrong + chained


def reciprocals(folder: Path) -> None:
    """Print errors of the reciprocal of softmax on the recorded scores: the published tables, ours with and without
    segments."""
    files, network = PublishedFiles(folder), published(folder)
    found = []
    for number, (attention, _) in enumerate(network.blocks):
        softmax = attention.softmax
        scores = files[f"attn_{number}_softmaxq_input"].reshape(-1, 196)
        # Scales of scores and results as the published tables imply them.
        exponential, first = softmax.exponential, softmax.segments[0]
        powers = exponential.table.astype(np.float64)
        scale = float(np.log(powers[0] / powers[8])) / (8 << exponential.shift)
        sums = (0.5 * (1 << first.shift)) - first.offset
        unit = 2.0**first.output_shift / (float(first.table[0]) * sums)
        ours = [
            calibrate_rows.softmax(scores, scale, unit, input=softmax.input, output=softmax.output, segments=segments)
            for segments in (1, 2)
        ]
        found.append([calibrate_rows.reciprocal_error(each, scores) for each in (softmax, *ours)])
    theirs, single, double = np.mean(found, 0)
    print(f"reciprocal, mean squared relative error over 12 blocks: published tables {theirs:.5f}, calibrated here "
          f"{single:.5f} in one table, {double:.5f} in two segments")  # fmt: skip


def excerpt(folder: Path, path: Path) -> None:
    """Write the first block whole, and of two others tables and a few rows, in the narrowest integers."""
    files = PublishedFiles(folder)
    kept: dict[str, Any] = {}
    for number in BLOCKS:
        for block, name, columns in ((f"ATTN{number}", f"attn_{number}", 196), (f"MLP{number}", f"mlp_{number}", 768)):
            kept[f"{block}.widths"] = np.array([f"{key}={width}" for key, width in files.widths(block).items()])
            for each in files:
                if not each.startswith(f"{name}_"):
                    continue
                part = each.removeprefix(f"{name}_")
                if number == 0 and (part == "output" or each == "attn_0_input"):
                    kept[each] = files[each]
                elif part in ("lnq_input", "lnq_output"):
                    kept[each] = files[each][: ROWS * 192]
                elif part in ("softmaxq_input", "softmaxq_output", "geluq_input", "geluq_output"):
                    kept[each] = files[each][: ROWS * columns]
                elif part.endswith(("_scalars", "scalars", "_m", "_m_one", "_m_two")) or (
                    number == 0 and part.endswith(("_weight", "_bias")) and not part.startswith(("gen_r", "gen_a"))
                ):
                    kept[each] = files[each]
    narrow: dict[str, Any] = {name: _narrow(values) for name, values in kept.items()}
    np.savez_compressed(path, **narrow)
    print(f"{path}: {len(kept)} arrays, {path.stat().st_size:,} bytes")


def _narrow(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if values.dtype.kind != "i":
        return values
    return values.astype(np.result_type(np.min_scalar_type(values.min()), np.min_scalar_type(-abs(values.max()) - 1)))


def main() -> None:
    """Compare, or write the excerpt that the tests read."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("case", type=Path, help='the folder "case" of the public source')
    parser.add_argument("--excerpt", type=Path, metavar="FILE", help="write an excerpt there instead of comparing")
    arguments = parser.parse_args()
    if arguments.excerpt:
        excerpt(arguments.case, arguments.excerpt)
        return
    wrong = compare(arguments.case)
    reciprocals(arguments.case)
    if wrong:
        raise SystemExit(1)


if __name__ == "__main__":
    main()

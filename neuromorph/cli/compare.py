"""Compare two traces: say where they first differ and how far they differ in all.

Ends with 0 if they are equal within the tolerances, with 1 if they differ. The traces may be any SONATA files.
"""

from __future__ import annotations

import argparse

from neuromorph.trace import Trace, compare, first_difference


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("a", metavar="A.h5", help="the trace that is expected")
    parser.add_argument("b", metavar="B.h5", help="the trace to judge")
    parser.add_argument("--rtol", type=float, default=0.0, help="relative tolerance of values and states (default 0)")
    parser.add_argument("--atol", type=float, default=0.0, help="absolute tolerance, in each value's unit (default 0)")
    parser.add_argument("--first", action="store_true", help="stop at the first difference, without the summary")


def run(options: argparse.Namespace) -> int:
    """Compare and print; 0 if equal, 1 if not."""
    with Trace(options.a) as a, Trace(options.b) as b:
        if options.first:
            difference = first_difference(a, b, options.rtol, options.atol)
            print("no difference" if difference is None else f"first difference: {difference}")
            return int(difference is not None)
        result = compare(a, b, options.rtol, options.atol)
        print(result)
        return int(not result.equal)

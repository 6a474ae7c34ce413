"""``neuromorph`` on the command line: demo, run, map, pipeline, bits, payloads, inspect, compare, doctor."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from neuromorph.errors import NeuromorphError

COMMANDS = {
    "demo": "classify MNIST digits on simulated SpiNNaker2 chips and say what it costs",
    "run": "run a network from a script or a file on a target and keep its trace",
    "map": "map a network onto SpiNNaker2 or a crossbar chip without running it, and report",
    "pipeline": "simulate a network laid out in space as a pipeline: interval, latency, stalls, FIFOs, schedules",
    "bits": "report what SPARK and other number formats make of weights: bits, bytes, errors",
    "payloads": "send one run's events under many encodings, SPARK among them, and compare what they cost",
    "inspect": "show what a trace holds",
    "compare": "compare two traces and find where they first differ",
    "doctor": "show what is installed and what each feature needs",
}


def parser() -> argparse.ArgumentParser:
    """Build the parser; every command's own options come from its module."""
    top = argparse.ArgumentParser(prog="neuromorph", description="Write a neuron once; run it anywhere.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, summary in COMMANDS.items():
        module = importlib.import_module(f"neuromorph.cli.{name}")
        sub = commands.add_parser(name, help=summary, description=(module.__doc__ or summary).strip())
        sub.formatter_class = argparse.RawDescriptionHelpFormatter
        module.add_arguments(sub)
        sub.set_defaults(run=module.run)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns
    -------
    int
        0 if all went well, 1 if a comparison found a difference or a check failed, 2 for bad input, 130 after Ctrl-C.
    """
    name = "neuromorph"
    try:
        options = parser().parse_args(arguments)
        name += f" {options.command}"
        return int(options.run(options))
    except BrokenPipeError:  # the reader of a pipe (head, less) has gone
        sys.stderr.close()
        return 0
    except (NeuromorphError, OSError) as error:
        print(f"{name}: {error}", file=sys.stderr)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "neuromorph":
            raise
        print(f"{name}: {error}; `neuromorph doctor` shows how to install what is missing", file=sys.stderr)
    except MemoryError as error:
        print(f"{name}: not enough memory{f': {error}' if str(error) else ''}", file=sys.stderr)
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        return 130
    return 2


if __name__ == "__main__":
    sys.exit(main())

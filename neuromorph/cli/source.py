"""Where a command gets its network from: a Python script, a SONATA configuration or a NIR graph."""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neuromorph import units
from neuromorph.errors import NetworkError, TargetError
from neuromorph.network.quantise import NARROW

if TYPE_CHECKING:
    from neuromorph.network import Network


@dataclass(frozen=True)
class Job:
    """A network and how to run it; a note for the user, if something has to be said of it."""

    network: Network
    dt: units.Quantity
    duration: units.Quantity | int
    note: str = ""


def add_source_arguments(parser: argparse.ArgumentParser) -> None:
    """Options that say what to run and on what."""
    parser.add_argument(
        "source",
        type=Path,
        help="a script that leaves a network of neuromorph, Brian 2 or Nengo in a global variable, or runs one of the "
        "latter two itself, a SONATA configuration (.json) or a NIR graph (.nir)",
    )
    parser.add_argument(
        "--network", metavar="NAME", help="which variable of the script, or function that makes it, if it has several"
    )
    parser.add_argument("--dt", type=quantity, help="time step, e.g. 0.1ms (default: the script's dt, else 1ms)")
    parser.add_argument("--duration", type=quantity, help="e.g. 1s (default: the script's or the inputs', else 1s)")
    nir = parser.add_argument_group(
        "NIR graphs (.nir)", "They hold no input, and those of other programs no time step."
    )
    nir.add_argument(
        "--inputs", type=Path, metavar="EVENTS.npy", help="array (steps, channels...), 0 where no event is"
    )
    nir.add_argument("--reset", metavar="NAME", help="what follows a spike: zero, subtract, ... (default: zero)")
    nir.add_argument("--method", metavar="NAME", help="integrator: euler, exact, ... (default: euler)")
    nir.add_argument(
        "--forward", metavar="NAME", help="step in which events without a delay arrive: same or next (default: same)"
    )
    nir.add_argument("--time-unit", type=quantity, help="of the file's times (default: 1s)")
    sonata = parser.add_argument_group("SONATA configurations (.json)")
    sonata.add_argument("--ignore", metavar="NAMES", help="what to leave out knowingly, e.g. delay,target_sections")


SOURCE_OPTIONS = {
    ".py": ("network",),
    ".json": ("ignore",),
    ".nir": ("inputs", "reset", "method", "forward", "time_unit"),
}
"""Options that one kind of file has, and the others do not."""

GIVEN = "a Python script (.py), a SONATA configuration (.json) or a NIR graph (.nir)"
CHIP_OPTIONS = {
    "spinnaker2": ("chips", "neurons_per_pe", "clock", "tick"),
    "crossbar": ("chips", "machine", "effects", "readout", "age", "seed", "profile"),
    "pipeline": ("board", "products", "rate"),
}
"""Options that targets with a machine have, and others do not."""


def add_chip_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the targets that are chips."""
    parser.add_argument("--chips", type=int, help="how many (default: as many as needed)")
    chips = parser.add_argument_group("SpiNNaker2")
    chips.add_argument("--neurons-per-pe", type=int, metavar="N", help="at most (default: as many as memory holds)")
    chips.add_argument("--clock", choices=("barrier", "tick"), help="what ends a step (default: a barrier)")
    chips.add_argument("--tick", type=quantity, help="real time for a step, e.g. 1ms (default: dt)")
    arrays = parser.add_argument_group("Crossbar")
    arrays.add_argument("--machine", help="ideal, isaac, m1076, wtm2101, ... or a .toml file (default: isaac)")
    arrays.add_argument(
        "--effects", metavar="NAMES", help="of the machine's, only these, e.g. quantise,adc; or none (default: all)"
    )
    arrays.add_argument("--readout", help="dense, row-gated, tile-skip or comparator (default: tile-skip)")
    arrays.add_argument("--age", type=quantity, metavar="TIME", help="time since programming, e.g. 86400s")
    arrays.add_argument("--seed", type=int, help="of what programming and reading draw (default: 0)")
    arrays.add_argument(
        "--profile", type=int, metavar="STEPS", help="run on the CPU first, to see how large graded events get"
    )
    boards = parser.add_argument_group("Pipeline")
    boards.add_argument("--board", help="vck190, zcu102 or a .toml file (default: vck190)")
    boards.add_argument("--products", choices=("stream", "events"), help="all weights in a step, or by events")
    boards.add_argument(
        "--rate", type=float, metavar="STEPS", help="a second, to balance for (default: as many as fit)"
    )
    parser.add_argument("--weights", choices=NARROW, help="narrow float weights (default: keep them)")


def chip_options(options: argparse.Namespace) -> dict[str, Any]:
    """The options of :data:`CHIP_OPTIONS` that were given, for the target that was chosen.

    Raises
    ------
    TargetError
        An option that only other targets have.
    """
    own = CHIP_OPTIONS.get(options.target, ())
    names = dict.fromkeys(name for names in CHIP_OPTIONS.values() for name in names)
    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    if unused := [name for name in given if name not in own]:
        owners = " or ".join(t for t, names in CHIP_OPTIONS.items() if set(unused) <= set(names)) or "other targets"
        raise TargetError(
            f"{', '.join('--' + name.replace('_', '-') for name in unused)}: an option of --target {owners}, not of "
            f"{options.target}; leave it out"
        )
    return given


def chip_target(options: argparse.Namespace, **others: Any) -> Any:
    """The SpiNNaker2, Crossbar or Pipeline target that the options describe.

    Raises
    ------
    TargetError, MappingError
    """
    given = {"weights": options.weights, **chip_options(options), **others}
    if options.target == "spinnaker2":
        from neuromorph.mapping.spinnaker2 import SpiNNaker2

        return SpiNNaker2(**given)
    if options.target == "pipeline":
        from neuromorph.mapping.pipeline import Pipeline

        if str(given.get("board", "")).endswith(".toml"):
            given["board"] = Path(given["board"])
        return Pipeline(**given)
    from neuromorph.mapping.crossbar import Crossbar

    if "age" in given:
        given["time"] = given.pop("age")
    names = given.pop("effects", None)
    machine = Crossbar(**given)
    if names is None:
        return machine
    effects = machine.on.only(*(name.strip() for name in names.split(","))) if names != "none" else machine.on.none()
    return replace(machine, effects=effects)


def quantity(text: str) -> units.Quantity:
    """Parse ``"0.1ms"`` or ``"2 s"``; times only."""
    names = {"s": units.second, "second": units.second, "ms": units.ms, "us": units.us}
    match = re.fullmatch(r"\s*([-+0-9.eE]+?)\s*([a-z]+)\s*", text)
    if match is None or match[2] not in names:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time; write a number and s, ms or us, e.g. 0.1ms")
    try:
        value = float(match[1])
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: {match[1]!r} is not a number") from None
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} must be more than nothing")
    return value * names[match[2]]


def load(options: argparse.Namespace) -> Job:
    """Get the network that ``options.source`` describes.

    Raises
    ------
    NetworkError
        If the file is missing, of an unknown kind, or describes no network or several.
    """
    path: Path = options.source
    if path.is_dir():
        raise NetworkError(f"{path}: is a folder; give {GIVEN}")
    if not path.is_file():
        raise NetworkError(f"{path}: no such file; give {GIVEN}")
    readers = {".py": _from_script, ".json": _from_sonata, ".nir": _from_nir}
    if path.suffix not in readers:
        raise NetworkError(f"{path}: cannot read {path.suffix or 'a file without suffix'!r}; give {GIVEN}")
    if unused := [
        f"--{name.replace('_', '-')} (of {suffix} files)"
        for suffix, names in SOURCE_OPTIONS.items()
        for name in names
        if suffix != path.suffix and getattr(options, name) is not None
    ]:
        raise NetworkError(f"{path}: no option of a {path.suffix} file: {', '.join(unused)}; leave it out")
    return readers[path.suffix](path, options)


def _from_script(path: Path, options: argparse.Namespace) -> Job:
    from neuromorph.cli.script import described_by

    return described_by(path, options.network, options.dt, options.duration)


def _from_sonata(path: Path, options: argparse.Namespace) -> Job:
    from neuromorph.interchange.sonata import from_sonata, read_circuit

    circuit = read_circuit(path)
    dt, duration = options.dt or circuit.dt, options.duration or circuit.duration
    if dt is None:
        raise NetworkError(f"{path}: the configuration has no step (run/dt); give --dt, e.g. --dt 0.1ms")
    ignore = {name.strip() for name in (options.ignore or "").split(",")} - {""}
    return Job(from_sonata(circuit, dt=dt, ignore=ignore), dt, duration or 1 * units.second)


def _from_nir(path: Path, options: argparse.Namespace) -> Job:
    from neuromorph.interchange.nir import from_nir, latency, written_dt

    dt = options.dt or written_dt(path)
    if dt is None:
        raise NetworkError(f"{path}: a NIR graph holds no time step; give --dt, e.g. --dt 0.1ms")
    replayed = getattr(options, "trace", None) is not None  # events that are known already
    if options.inputs is None and options.command in ("run", "payloads") and not replayed:
        raise NetworkError(f"{path}: a NIR graph holds no input; give --inputs EVENTS.npy")
    events = None if options.inputs is None else _events(options.inputs)
    network = from_nir(
        path,
        dt=dt,
        events=events,
        reset=options.reset,
        method=options.method,
        forward=options.forward,
        time_unit=options.time_unit,
    )
    steps = None if events is None else len(events) + max(latency(population) for population in network.populations)
    return Job(network, dt, options.duration or steps or 1 * units.second)


def _events(path: Path) -> npt.NDArray[Any]:
    try:
        array: npt.NDArray[Any] = np.load(path)
    except (OSError, ValueError, EOFError) as error:
        why = "" if "pickle" in str(error) else f": {error}"  # NumPy takes what it does not know for a pickle
        raise NetworkError(f"{path}: not an array of numbers that np.save wrote{why}") from error
    if not isinstance(array, np.ndarray) or array.ndim < 2 or array.dtype.kind not in "biuf":
        raise NetworkError(
            f"{path}: expected numbers of shape (steps, channels...), got {getattr(array, 'shape', array)}"
        )
    if not len(array):
        raise NetworkError(f"{path}: expected at least one step, got shape {array.shape}")
    if not np.isfinite(array).all():
        raise NetworkError(f"{path}: expected finite numbers, found nan or infinity")
    return array

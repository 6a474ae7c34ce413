"""Where a command gets its network from: a Python script that describes one, or a file in an exchange format."""

from __future__ import annotations

import argparse
import re
import runpy
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from traceback import extract_tb
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neuromorph import units
from neuromorph.errors import LanguageError, NetworkError, NeuromorphError, TargetError
from neuromorph.language.neuron import METHODS

if TYPE_CHECKING:
    from neuromorph.network import Network


@dataclass(frozen=True)
class Job:
    """A network and how to run it."""

    network: Network
    dt: units.Quantity
    duration: units.Quantity | int


def add_source_arguments(parser: argparse.ArgumentParser) -> None:
    """Options that say what to run and on what."""
    parser.add_argument("source", type=Path, help="a script that leaves a Network in a global variable, or a .nir file")
    parser.add_argument("--network", metavar="NAME", help="which variable of the script, if it has several networks")
    parser.add_argument("--dt", type=quantity, help="time step, e.g. 0.1ms (default: the script's dt, else 1ms)")
    parser.add_argument("--duration", type=quantity, help="e.g. 1s (default: the script's or the inputs', else 1s)")
    nir = parser.add_argument_group("NIR graphs (.nir)", "They hold no time step and no input.")
    nir.add_argument(
        "--inputs", type=Path, metavar="EVENTS.npy", help="array (steps, channels...), 0 where no event is"
    )
    nir.add_argument("--reset", choices=("zero", "subtract", "snntorch"), default="zero", help="what a spike does")
    nir.add_argument("--method", choices=METHODS, default="euler", help="integrator (default: %(default)s)")
    nir.add_argument("--time-unit", type=quantity, default=1 * units.second, help="of the file's times (default: 1s)")


CHIP_OPTIONS = {
    "spinnaker2": ("chips", "neurons_per_pe", "clock", "tick"),
    "crossbar": ("chips", "machine", "effects", "readout", "age", "seed"),
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
    parser.add_argument("--weights", choices=("int8", "int16"), help="quantise float weights (default: keep them)")


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
    """The SpiNNaker2 or Crossbar target that the options describe.

    Raises
    ------
    TargetError, MappingError
    """
    given = {"weights": options.weights, **chip_options(options), **others}
    if options.target == "spinnaker2":
        from neuromorph.mapping.spinnaker2 import SpiNNaker2

        return SpiNNaker2(**given)
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
        raise NetworkError(f"{path}: is a folder; give a Python script or a .nir file")
    if not path.is_file():
        raise NetworkError(f"{path}: no such file; give a Python script or a .nir file")
    if path.suffix == ".py":
        return _from_script(path, options)
    if path.suffix == ".nir":
        return _from_nir(path, options)
    raise NetworkError(
        f"{path}: cannot read {path.suffix or 'a file without suffix'!r}; give a Python script (.py) or a NIR graph "
        "(.nir)"
    )


def _from_script(path: Path, options: argparse.Namespace) -> Job:
    from neuromorph.language import Expr
    from neuromorph.network import Network

    sys.path.insert(0, str(path.parent.resolve()))  # as for `python script.py`: modules beside it can be imported
    try:
        names: dict[str, Any] = runpy.run_path(str(path), run_name="neuromorph_script")
    except Exception as error:
        if isinstance(error, LanguageError) and hasattr(error, "lineno"):
            raise  # says where
        lines = [frame.lineno for frame in extract_tb(error.__traceback__) if frame.filename == str(path)]
        at = f"{path}, line {lines[-1]}" if lines else str(path)
        kind = "" if isinstance(error, NeuromorphError) else f"the script failed: {type(error).__name__}: "
        raise NetworkError(f"{at}: {kind}{error}") from error
    finally:
        sys.path.pop(0)
    networks = {name: value for name, value in names.items() if isinstance(value, Network)}
    if options.network is not None:
        if options.network not in networks:
            raise NetworkError(f"{path}: no network named {options.network!r}; it has {', '.join(networks) or 'none'}")
        network = networks[options.network]
    elif len({id(value) for value in networks.values()}) == 1:
        network = next(iter(networks.values()))
    else:
        found = f"several ({', '.join(networks)}); choose with --network" if networks else "none"
        raise NetworkError(f"{path}: expected one global variable that is a Network, found {found}")
    dt = names.get("dt", 1 * units.ms)
    if isinstance(dt, Expr):  # the language's symbol for the step, from ``import *``
        dt = 1 * units.ms
    return Job(network, options.dt or dt, options.duration or names.get("duration", 1 * units.second))


def _from_nir(path: Path, options: argparse.Namespace) -> Job:
    from neuromorph.interchange import from_nir, latency

    if options.dt is None:
        raise NetworkError(f"{path}: a NIR graph holds no time step; give --dt, e.g. --dt 0.1ms")
    if options.inputs is None and options.command == "run":
        raise NetworkError(f"{path}: a NIR graph holds no input; give --inputs EVENTS.npy")
    events = None if options.inputs is None else _events(options.inputs)
    network = from_nir(
        path, dt=options.dt, events=events, reset=options.reset, method=options.method, time_unit=options.time_unit
    )
    steps = None if events is None else len(events) + max(latency(population) for population in network.populations)
    return Job(network, options.dt, options.duration or steps or 1 * units.second)


def _events(path: Path) -> npt.NDArray[Any]:
    try:
        array: npt.NDArray[Any] = np.load(path)
    except (OSError, ValueError) as error:
        raise NetworkError(f"{path}: not an array that np.save wrote: {error}") from error
    if not isinstance(array, np.ndarray) or array.ndim < 2 or array.dtype.kind not in "biuf":
        raise NetworkError(
            f"{path}: expected numbers of shape (steps, channels...), got {getattr(array, 'shape', array)}"
        )
    return array

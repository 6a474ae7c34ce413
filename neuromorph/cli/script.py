"""What a Python script describes: a network of ours, of Brian 2 or of Nengo, and how to run it."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from traceback import extract_tb
from typing import TYPE_CHECKING, Any

from neuromorph import units
from neuromorph.errors import LanguageError, NetworkError, NeuromorphError

if TYPE_CHECKING:
    from neuromorph.network import Network

Names = Mapping[str, Any]


@dataclass(frozen=True)
class Described:
    """What a script left behind.

    Attributes
    ----------
    network : Network
    dt, duration : Quantity or int, or None
        As far as the script says.
    """

    network: Network
    dt: Any = None
    duration: Any = None


class FirstRunError(BaseException):
    """Ends a script of Brian 2 where it would run; no script should catch it, so it is no Exception.

    Attributes
    ----------
    objects : brian2.Network or list of Brian 2 objects
    duration : brian2 quantity
    names : mapping
        What the script's names mean there.
    """

    def __init__(self, objects: Any, duration: Any, names: Names) -> None:
        super().__init__("the script would run here")
        self.objects = objects
        self.duration = duration
        self.names = names


def described_by(path: Path, name: str | None, dt: Any, duration: Any) -> Described:
    """Run a script, up to its first run if it is one for Brian 2, and take the network that it describes.

    Parameters
    ----------
    path : Path
    name : str, optional
        The global variable, or the function without parameters, that has the network.
    dt, duration : Quantity, optional
        What the user asks for instead of what the script says.

    Raises
    ------
    NetworkError
        If the script fails, or describes no network or several.
    CheckError
        If a network of Brian 2 or Nengo cannot be taken.
    """
    try:
        names = _globals(path)
    except FirstRunError as run:
        if name is not None:
            raise NetworkError(
                f"{path}: --network {name}: it calls Brian 2's run() before it ends, and what that runs is taken; "
                "leave --network out"
            ) from None
        return _brian2(path, run.objects, run.names, dt, run.duration)
    own_dt, own_duration = names.get("dt"), names.get("duration")
    if hasattr(own_dt, "args"):  # the language's symbol for the step, from ``import *``
        own_dt = None
    found = _chosen(path, names, name)
    match _kind(found):
        case "Brian 2":
            return _brian2(path, found, names, dt, own_duration)
        case "Nengo":
            from neuromorph.interchange import from_nengo

            step = dt or _seconds(own_dt) or 1 * units.ms
            length = duration or _seconds(own_duration) or 1 * units.second
            return Described(from_nengo(found, dt=step, duration=length), step, length)
    return Described(found, own_dt, own_duration)


def _globals(path: Path) -> Names:
    """The script's global variables after it has run."""
    sys.path.insert(0, str(path.parent.resolve()))  # as for `python script.py`: modules beside it can be imported
    try:
        with _stopped_at_first_run() if "brian2" in path.read_text(errors="replace") else nullcontext():
            return runpy.run_path(str(path), run_name="neuromorph_script")
    except Exception as error:
        if isinstance(error, LanguageError) and hasattr(error, "lineno"):
            raise  # says where
        lines = [frame.lineno for frame in extract_tb(error.__traceback__) if frame.filename == str(path)]
        at = f"{path}, line {lines[-1]}" if lines else str(path)
        kind = "" if isinstance(error, NeuromorphError) else f"the script failed: {type(error).__name__}: "
        raise NetworkError(f"{at}: {kind}{error}") from error
    finally:
        sys.path.pop(0)


@contextmanager
def _stopped_at_first_run() -> Iterator[None]:
    """Brian 2 with a run that ends the script, its own devices left alone, and code of initial values in NumPy."""
    import brian2
    from brian2.core.namespace import get_local_namespace

    def run(
        self: Any,
        duration: Any,
        report: Any = None,
        report_period: Any = None,
        namespace: Names | None = None,
        profile: Any = None,
        level: int = 0,
    ) -> None:
        magic = isinstance(self, brian2.MagicNetwork)
        objects = sorted(brian2.collect(level=level + 1), key=lambda o: str(o.name)) if magic else self
        raise FirstRunError(objects, duration, get_local_namespace(level + 1) if namespace is None else namespace)

    kept = brian2.Network.run, brian2.set_device, brian2.prefs.codegen.target
    brian2.Network.run, brian2.set_device = run, lambda *device, **options: None
    brian2.prefs.codegen.target = "numpy"  # nothing to compile for what is evaluated once
    brian2.BrianLogger.suppress_hierarchy("brian2.core.base")  # it would warn of objects that it never ran
    try:
        yield
    finally:
        brian2.Network.run, brian2.set_device, brian2.prefs.codegen.target = kept


def _chosen(path: Path, names: Names, name: str | None) -> Any:
    """The one network among a script's global variables, or what its function ``network`` makes."""
    networks = {key: value for key, value in names.items() if _kind(value)}
    if name is not None:
        if name not in networks and not _makes(names.get(name)):
            raise NetworkError(f"{path}: no network named {name!r}; it has {', '.join(networks) or 'none'}")
        return networks[name] if name in networks else _made(path, names[name])
    distinct = list({id(value): value for value in networks.values()}.values())
    if len(distinct) == 1:
        return distinct[0]
    if not distinct and _makes(names.get("network")):
        return _made(path, names["network"])
    if not distinct and (parts := _parts_of_brian2(names)):
        return parts
    found = f"several ({', '.join(networks)}); choose with --network" if networks else "none"
    raise NetworkError(
        f"{path}: expected one global variable that is a Network of neuromorph, Brian 2 or Nengo, or a function "
        f"network() that makes one, found {found}"
    )


def _kind(value: Any) -> str:
    """Whose network it is, or nothing."""
    from neuromorph.network import Network

    brian2, nengo = sys.modules.get("brian2"), sys.modules.get("nengo")
    if isinstance(value, Network):
        return "neuromorph"
    if brian2 and isinstance(value, brian2.Network) and not isinstance(value, brian2.MagicNetwork):
        return "Brian 2"
    if nengo and isinstance(value, nengo.Network):
        return "Nengo"
    return "Brian 2" if brian2 and isinstance(value, list) and _parts_of_brian2({"": value}) else ""


def _parts_of_brian2(names: Names) -> list[Any]:
    """Brian 2's groups, synapses and monitors among the values."""
    brian2 = sys.modules.get("brian2")
    if brian2 is None:
        return []
    values = [each for value in names.values() for each in (value if isinstance(value, list) else [value])]
    return [each for each in values if isinstance(each, brian2.BrianObject) and each.add_to_magic_network]


def _seconds(value: Any) -> Any:
    """A time as Nengo's scripts write it, in seconds without a unit, as a quantity."""
    return value * units.second if isinstance(value, int | float) else value


def _makes(value: Any) -> bool:
    return callable(value) and not isinstance(value, type)


def _made(path: Path, function: Callable[[], Any]) -> Any:
    try:
        made = function()
    except Exception as error:
        raise NetworkError(f"{path}: {function.__name__}() failed: {type(error).__name__}: {error}") from error
    if not _kind(made):
        raise NetworkError(f"{path}: {function.__name__}() gives a {type(made).__name__}, expected a network")
    return made


def _brian2(path: Path, objects: Any, names: Names, dt: Any, duration: Any) -> Described:
    from neuromorph.interchange import from_brian2
    from neuromorph.trace.trace import in_ms

    network = from_brian2(objects, namespace=names)
    step = min(float(thing.clock.dt) for thing in getattr(objects, "objects", objects) if hasattr(thing, "clock"))
    if dt is not None and abs(in_ms(dt) - step * 1e3) > 1e-9 * step:
        raise NetworkError(f"{path}: --dt: Brian 2's clock has steps of {step * 1e3:g} ms; set it in the script")
    return Described(network, step * units.second, duration)

"""What a Python script describes: a network of ours, of Brian 2 or of Nengo, and how to run it."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from traceback import extract_tb
from typing import TYPE_CHECKING, Any

import numpy as np

from neuromorph import units
from neuromorph.cli.first_run import FirstRunError, Names, ended_at_first_run
from neuromorph.cli.source import Job
from neuromorph.engine.target import duration_steps, step_seconds
from neuromorph.errors import LanguageError, NetworkError, NeuromorphError

if TYPE_CHECKING:
    from neuromorph.network import Network


def described_by(path: Path, name: str | None, dt: Any, duration: Any) -> Job:
    """Run a script, up to its first run by Brian 2 or Nengo if it has one, and take the network that it describes.

    Parameters
    ----------
    path : Path
    name : str, optional
        The global variable, or the function without parameters, that has the network.
    dt, duration : Quantity, optional
        What the user asks for instead of what the script says.

    Returns
    -------
    Job
        With 1 ms and 1 s for what neither the user nor the script says, and a note where the script was ended.

    Raises
    ------
    NetworkError
        If the script fails, describes no network or several, or its ``dt`` and ``duration`` are no times.
    CheckError
        If a network of Brian 2 or Nengo cannot be taken.
    """
    try:
        names = _globals(path, whole=name is not None)
    except FirstRunError as run:
        if name is not None:
            raise NetworkError(
                f"{path}: --network {name}: it calls Brian 2's run() before it ends, and what that runs is taken; "
                "leave --network out"
            ) from None
        note = f"{_place(path, run)}: what {run.by} would run here is run; the script ends here"
        note += {"Brian 2": ' (set_device("neuromorph")', "Nengo": " (neuromorph.nengo.Simulator"}[run.by]
        note += " in it runs all of it)"
        if run.by == "Brian 2":
            return _brian2(path, run.objects, run.names, dt, duration or run.duration, note)
        return _nengo(path, run.objects, dt or _seconds(run.dt), duration or _seconds(run.duration), note)
    own_dt, own_duration = names.get("dt"), names.get("duration")
    if hasattr(own_dt, "args"):  # the language's symbol for the step, from ``import *``
        own_dt = None
    found = _chosen(path, names, name)
    match _kind(found):
        case "Brian 2":
            return _brian2(path, found, names, dt, duration or own_duration)
        case "Nengo":
            return _nengo(path, found, dt or _seconds(own_dt), duration or _seconds(own_duration))
    return _job(path, lambda *_: found, dt or own_dt, duration or own_duration)


def _job(path: Path, network: Callable[[Any, Any], Network], dt: Any, duration: Any, note: str = "") -> Job:
    """What was found, its network made of the step and the duration once these are known to be times."""
    dt = 1 * units.ms if dt is None else dt
    duration = 1 * units.second if duration is None else duration
    try:
        duration_steps(duration, step_seconds(dt))
    except NeuromorphError as error:
        raise NetworkError(f"{path}: {error}") from error
    return Job(network(dt, duration), dt, duration, note)


def _globals(path: Path, whole: bool) -> Names:
    """The script's global variables after it has run; ``whole``: simulators of Nengo run, too."""
    kept = sys.path[:], sys.argv
    sys.path.insert(0, str(path.parent.resolve()))  # as for `python script.py`: modules beside it can be imported
    sys.argv = [str(path)]
    try:
        with ended_at_first_run(path.read_text(errors="replace"), nengo=not whole):
            return runpy.run_path(str(path), run_name="neuromorph_script")
    except SystemExit as ended:
        raise NetworkError(
            f"{_place(path, ended)}: the script ended itself (sys.exit) before its network could be taken; "
            'put the call under if __name__ == "__main__"'
        ) from ended
    except Exception as error:
        if isinstance(error, LanguageError) and hasattr(error, "lineno"):
            raise  # says where
        kind = "" if isinstance(error, NeuromorphError) else f"the script failed: {type(error).__name__}: "
        raise NetworkError(f"{_place(path, error)}: {kind}{error}") from error
    finally:
        sys.path[:], sys.argv = kept


def _place(path: Path, error: BaseException) -> str:
    """The script and the line of it that something was raised from, if it was."""
    lines = [frame.lineno for frame in extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f"{path}, line {lines[-1]}" if lines else str(path)


def _chosen(path: Path, names: Names, name: str | None) -> Any:
    """The one network among a script's global variables, or what its function ``network`` makes."""
    networks = {key: value for key, value in names.items() if _kind(value)}
    if name is not None:
        if name not in networks and not _makes(names.get(name)):
            raise NetworkError(f"{path}: no network named {name!r}; it has {', '.join(networks) or 'none'}")
        return networks[name] if name in networks else _made(path, names[name])
    whole = _whole(networks)
    if len({id(value) for value in whole.values()}) == 1:
        return next(iter(whole.values()))
    if not whole and _makes(names.get("network")):
        return _made(path, names["network"])
    if not whole and (parts := _parts_of_brian2(names)):
        return parts
    guarded = (
        '; what stands under if __name__ == "__main__" is not run'
        if "__main__" in path.read_text(errors="replace")
        else ""
    )
    found = f"several ({', '.join(whole)}); choose with --network" if whole else f"none{guarded}"
    raise NetworkError(
        f"{path}: expected one global variable that is a Network of neuromorph, Brian 2 or Nengo, or a function "
        f"network() that makes one, found {found}"
    )


def _whole(networks: Names) -> Names:
    """Networks without those that are parts of another: Nengo's within one, lists of objects beside Brian 2's."""
    inner = {id(part) for value in networks.values() for part in getattr(value, "all_networks", ())}
    whole = {key: value for key, value in networks.items() if id(value) not in inner}
    return {key: value for key, value in whole.items() if not isinstance(value, list)} or whole


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
    return float(value) * units.second if isinstance(value, int | float | np.number) else value


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


def _nengo(path: Path, model: Any, dt: Any, duration: Any, note: str = "") -> Job:
    from neuromorph.interchange import from_nengo

    return _job(path, lambda dt, duration: from_nengo(model, dt=dt, duration=duration), dt, duration, note)


def _brian2(path: Path, objects: Any, names: Names, dt: Any, duration: Any, note: str = "") -> Job:
    from neuromorph.interchange import from_brian2
    from neuromorph.trace.trace import in_ms

    network = from_brian2(objects, namespace=names)
    step = min(float(thing.clock.dt) for thing in getattr(objects, "objects", objects) if hasattr(thing, "clock"))
    if dt is not None and abs(in_ms(dt) - step * 1e3) > 1e-9 * step:
        raise NetworkError(f"{path}: --dt: Brian 2's clock has steps of {step * 1e3:g} ms; set it in the script")
    return _job(path, lambda *_: network, step * units.second, duration, note)

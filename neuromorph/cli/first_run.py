"""Scripts that run their network themselves, ended at that point: what they would run there is what a command takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

Names = Mapping[str, Any]


class FirstRunError(BaseException):
    """Ends a script where it would run; no script should catch it, so it is no Exception.

    Attributes
    ----------
    by : {"Brian 2", "Nengo"}
    objects : brian2.Network, list of Brian 2 objects, or nengo.Network
    duration : brian2 quantity; for Nengo seconds; None for a single step
    names : mapping
        What the script's names mean there; for Nengo nothing.
    dt : float, optional
        Step of Nengo's simulator, in seconds.
    """

    def __init__(self, by: str, objects: Any, duration: Any, names: Names | None = None, dt: Any = None) -> None:
        super().__init__("the script would run here")
        self.by, self.objects, self.duration, self.dt = by, objects, duration, dt
        self.names: Names = names or {}


@contextmanager
def ended_at_first_run(text: str, nengo: bool) -> Iterator[None]:
    """Within it, a script ends at its first run, by Brian 2 or, if ``nengo``, by one of Nengo's simulators.

    A run of no time, which some scripts begin with, does nothing.

    Parameters
    ----------
    text : str
        The script: a package that it does not name is not imported.
    nengo : bool
    """
    with ExitStack() as stack:
        if "brian2" in text:
            stack.enter_context(_brian2())
        if nengo and "nengo" in text:
            stack.enter_context(_nengo())
        yield


@contextmanager
def _brian2() -> Iterator[None]:
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
        if not duration:
            return
        magic = isinstance(self, brian2.MagicNetwork)
        objects = sorted(brian2.collect(level=level + 1), key=lambda o: str(o.name)) if magic else self
        names = get_local_namespace(level + 1) if namespace is None else namespace
        raise FirstRunError("Brian 2", objects, duration, names)

    kept = brian2.Network.run, brian2.set_device, brian2.prefs.codegen.target
    brian2.Network.run, brian2.set_device = run, lambda *device, **options: None
    brian2.prefs.codegen.target = "numpy"  # nothing to compile for what is evaluated once
    brian2.BrianLogger.suppress_hierarchy("brian2.core.base")  # it would warn of objects that it never ran
    try:
        yield
    finally:
        brian2.Network.run, brian2.set_device, brian2.prefs.codegen.target = kept


@contextmanager
def _nengo() -> Iterator[None]:
    """Nengo with simulators that end the script when they would make a step."""
    import nengo

    def run(self: Any, time_in_seconds: Any, progress_bar: Any = None) -> None:
        if time_in_seconds:
            raise FirstRunError("Nengo", self.model.toplevel, time_in_seconds, dt=self.dt)

    def run_steps(self: Any, steps: Any, progress_bar: Any = None) -> None:
        if steps:
            raise FirstRunError("Nengo", self.model.toplevel, steps * self.dt, dt=self.dt)

    def step(self: Any) -> None:
        raise FirstRunError("Nengo", self.model.toplevel, None, dt=self.dt)

    simulator = nengo.Simulator
    kept = simulator.run, simulator.run_steps, simulator.step
    simulator.run, simulator.run_steps, simulator.step = run, run_steps, step
    try:
        yield
    finally:
        simulator.run, simulator.run_steps, simulator.step = kept

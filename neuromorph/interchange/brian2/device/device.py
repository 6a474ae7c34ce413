"""Devices for Brian 2: an unchanged script runs on one of our targets.

Brian 2's own runtime keeps the variables, makes the connections and draws initial values; only the run itself is ours.
"""

from __future__ import annotations

import gc
import pickle
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

from brian2.core.namespace import get_local_namespace
from brian2.core.network import Network as BrianNetwork
from brian2.devices.device import RuntimeDevice, runtime_device
from brian2.groups.group import Group
from brian2.units import check_units, second

from neuromorph.engine.target import Target
from neuromorph.errors import TargetError
from neuromorph.interchange.brian2.device.chance import Streams
from neuromorph.interchange.brian2.device.operations import is_operation, operations_of, run_between
from neuromorph.interchange.brian2.device.report import Reporter, callback_of
from neuromorph.interchange.brian2.device.session import Session
from neuromorph.interchange.brian2.device.task import Ended, Task
from neuromorph.interchange.brian2.schedule import Schedule

LOOP_TEMPLATES = {
    "stateupdate",
    "threshold",
    "reset",
    "synapses",
    "synapses_push_spikes",
    "spikemonitor",
    "statemonitor",
    "ratemonitor",
    "spikegenerator",
    "summed_variable",
}
"""Brian 2's code that a step of its own loop would run: made when somebody calls it, which a run of ours does not."""
STANDALONE = {"directory", "with_output", "profile"}
"""Options of Brian 2's own devices that say nothing here: no project is built, and nothing is printed."""
CHANCE = "neuromorph"
"""What a state of random numbers keeps ours under."""


class DeferredCode:
    """A code object of Brian 2 that is made when it is first called."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._made: Any = None

    def __call__(self, **names: Any) -> Any:
        if self._made is None:
            self._made = self._make()
            self._made.before_run()
        return self._made(**names)

    def before_run(self) -> None:
        """Nothing to prepare."""

    def after_run(self) -> None:
        """Nothing to finish."""


class NeuromorphDevice(RuntimeDevice):  # type: ignore[misc]  # Brian 2 has no types
    """Runs Brian 2 networks on a target.

    Parameters
    ----------
    make_target : function
        Makes the target of the options given to ``set_device``.
    """

    def __init__(self, make_target: Callable[..., Target]) -> None:
        super().__init__()
        # Compiled code of Brian 2 draws from the buffers of the first device of the process that it ran on.
        for buffer in ("rand_buffer", "rand_buffer_index", "randn_buffer", "randn_buffer_index"):
            setattr(self, buffer, getattr(runtime_device, buffer))
        self._make_target = make_target
        self._target: Target | None = None
        self._sessions: WeakKeyDictionary[Any, Session] = WeakKeyDictionary()
        self._stored: WeakKeyDictionary[Any, dict[str, Any]] = WeakKeyDictionary()
        self._streams = Streams()
        self._latest: Session | None = None

    # --- being chosen ---------------------------------------------------------------------------------------------
    def activate(self, build_on_run: bool = True, **options: Any) -> None:
        """Called by ``set_device``."""
        super().activate(build_on_run, **options)
        self._target = self._make_target(**{k: v for k, v in options.items() if k not in STANDALONE})

    def reinit(self) -> None:
        """Forget every network that has run."""
        self._sessions.clear()
        self._stored.clear()
        self._latest = None

    def seed(self, seed: int | None = None) -> None:
        """Seed Brian 2's random numbers (initial values, connections) and those of the runs to come."""
        super().seed(seed)
        self._streams.seed(seed)

    def get_random_state(self) -> dict[str, Any]:
        """What :meth:`set_random_state` goes back to; Brian 2 stores it with a network."""
        return {**super().get_random_state(), CHANCE: self._streams.state}

    def set_random_state(self, state: Mapping[str, Any]) -> None:
        """Go back to a state of the random numbers."""
        super().set_random_state(state)
        if CHANCE in state:
            self._streams.restore(state[CHANCE])

    def code_object(self, owner: Any, name: Any, abstract_code: Any, *rest: Any, **options: Any) -> Any:
        """Brian 2's code for initial values and connections at once; code of its loop if it is ever called."""
        template = options["template_name"] if "template_name" in options else rest[1]

        def make() -> Any:
            return super(NeuromorphDevice, self).code_object(owner, name, abstract_code, *rest, **options)

        return DeferredCode(make) if template in LOOP_TEMPLATES and options.get("codeobj_class") is None else make()

    # --- storing --------------------------------------------------------------------------------------------------
    def network_store(self, network: Any, name: str = "default", filename: str | None = None) -> None:
        """What ``Network.store`` does while this device is active; what is under way in our engine goes with it."""
        BrianNetwork.store.original_function(network, name=name, filename=filename)
        session = self._sessions.get(network)
        carried = None if session is None else (session.carried, session.stream)
        if filename is None:
            self._stored.setdefault(network, {})[name] = carried
            return
        with open(filename, "rb") as file:
            states = pickle.load(file)
        states[_beside(name)] = carried
        with open(filename, "wb") as file:
            pickle.dump(states, file, protocol=pickle.HIGHEST_PROTOCOL)

    def network_restore(
        self, network: Any, name: str = "default", filename: str | None = None, restore_random_state: bool = False
    ) -> None:
        """What ``Network.restore`` does while this device is active.

        Raises
        ------
        TargetError
            The state was stored on another device, or by other means.
        """
        if filename is None:
            found = self._stored.get(network, {})
            known, carried = name in found, found.get(name)
        else:
            with open(filename, "rb") as file:
                states = pickle.load(file)
            known, carried = _beside(name) in states, states.get(_beside(name))
        if not known:
            raise TargetError(f"restore({name!r}): nothing of this name was stored on this device; store() it here")
        BrianNetwork.restore.original_function(network, name, filename, restore_random_state)
        session = self._session(network)
        session.carried, stream = carried or (None, None)
        session.stream = stream if restore_random_state else None

    # --- running --------------------------------------------------------------------------------------------------
    @check_units(duration=second, report_period=second)  # type: ignore[untyped-decorator]  # Brian 2 has no types
    def network_run(
        self,
        network: Any,
        duration: Any,
        report: Any = None,
        report_period: Any = 10 * second,
        namespace: Mapping[str, Any] | None = None,
        profile: bool | None = None,
        level: int = 0,
    ) -> None:
        """What ``Network.run`` does while this device is active; parameters as there."""
        if duration < 0:
            raise ValueError(f"Function 'run' expected a non-negative duration but got '{duration}'")
        if profile or (profile is None and self.build_options.get("profile", False)):
            raise TargetError(
                "profile=True: the engine runs all of a group's code as one loop and has no time for each object of "
                "Brian 2; look at device.program.report()"
            )
        gc.collect()  # as in Brian 2: warns of objects that are in no network
        objects = network.sorted_objects
        start, end = network.t, network.t + duration
        network._clocks = {thing.clock for thing in objects}
        for clock in network._clocks:
            clock.set_interval(start, end)
        names = get_local_namespace(level=level + 3) if namespace is None else namespace
        network.before_run(names)
        if not objects:
            return
        limit = None if self._maximum_run_time is None else float(self._maximum_run_time)
        reporter = Reporter(network, callback_of(report), float(report_period), start, duration, limit)
        stopped, interrupted = self._run_steps(network, names, reporter)
        if not stopped:
            network.t_ = float(end)
        self._last_run_time = reporter.elapsed
        self._last_run_completed_fraction = float((network.t - start) / duration) if stopped else 1.0
        for thing in objects:
            if isinstance(thing, Group):
                thing._check_for_invalid_states()
        reporter.finish(self._last_run_completed_fraction)
        network.after_run()
        if interrupted:
            raise KeyboardInterrupt(f"stopped at {network.t}; monitors and variables are as of then")

    def _run_steps(self, network: Any, names: Mapping[str, Any], reporter: Reporter) -> tuple[bool, bool]:
        """Run the steps of all clocks; whether it was stopped early, and by Ctrl-C."""
        acting = [thing for thing in network.sorted_objects if not is_operation(thing)]
        clock = min((thing.clock for thing in acting or network.sorted_objects), key=lambda c: float(c.dt_))
        first, last, dt = int(clock.variables["timestep"].get_value().item()), int(clock._i_end), float(clock.dt_)
        ended = Ended(last, False)

        def tell_time(step: int) -> None:
            for each in network._clocks:
                steps = each._i_end if step == last else each._calc_timestep(step * dt)
                each.variables["timestep"].set_value(steps)
                each.variables["t"].set_value(steps * each.dt_)
            network.t_ = step * dt

        if last > first:
            session = self._latest = self._session(network)
            if first == 0:
                session.carried = session.stream = None
            schedule = Schedule(tuple(network.schedule), dt)
            operations = operations_of(network.sorted_objects, schedule)
            session.stream = self._streams.follow(session.stream)
            task = Task(_outermost(network.objects), schedule, names, first, last, session.stream.seed)
            pace = reporter.pace(first, last)
            if operations:

                def run(step: int, end: int, still: bool, finish: bool) -> Ended:
                    part = replace(task, first=step, last=end, still=still)
                    return session.run(part, (lambda step, most: most) if finish else pace)

                ended = run_between(run, operations, network, (first, last), tell_time)
            else:
                ended = session.run(task, pace)
        tell_time(ended.step)
        return ended.step < last, ended.interrupted

    def _session(self, network: Any) -> Session:
        """The session of a network on the present target."""
        assert self._target is not None  # activate() has made it
        session = self._sessions.get(network)
        if session is None or session.target != self._target:
            session = self._sessions[network] = Session(self._target)
        return session

    @property
    def program(self) -> Any:
        """The compiled program of the latest run: its report, its source, its synapses."""
        if self._latest is None or self._latest.program is None:
            raise TargetError("nothing has run on this device")
        return self._latest.program


def _beside(name: str) -> str:
    """Where a file keeps what goes with Brian 2's state of a name."""
    return f"{name} on neuromorph"


def _outermost(objects: Any) -> tuple[Any, ...]:
    """The objects that are not part of others; a magic network lists those, too.

    Synapses that run code regularly are, for Brian 2, part of their source.
    """
    parts = [part for thing in objects for part in _parts(thing)]
    inner = {id(part) for part in parts if type(part).__name__ != "Synapses"}
    found = {id(thing): thing for thing in (*objects, *parts) if id(thing) not in inner}
    return tuple(sorted(found.values(), key=lambda thing: str(thing.name)))


def _parts(thing: Any) -> list[Any]:
    return [each for part in thing.contained_objects for each in (part, *_parts(part))]

"""Nengo's simulator with its neurons and decoded connections on one of our targets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import nengo
import numpy as np
from nengo.builder import Model
from nengo.builder.processes import SimProcess
from nengo.cache import get_default_decoder_cache
from nengo.exceptions import SimulatorClosed
from nengo.rc import rc
from nengo.simulator import SimulationData
from nengo.utils.graphs import toposort
from nengo.utils.progress import Progress, ProgressTracker
from nengo.utils.simulator import operator_dependency_graph

from neuromorph.engine import CPU, Target
from neuromorph.engine.interrupt import deferred_interrupt
from neuromorph.errors import TargetError
from neuromorph.interchange.nengo.circuit import circuit
from neuromorph.interchange.nengo.host import Engine, Seen, apart, held, merged, signals_of
from neuromorph.interchange.nengo.lift import Lifted, lift
from neuromorph.units import second


class Simulator(nengo.Simulator):  # type: ignore[misc]
    """Runs a Nengo network: ensembles and decoded connections on a target, everything else on the host.

    It does all that ``nengo.Simulator`` does, with the same results up to rounding. What neurons get and send is
    exchanged in every step, so nodes may compute anything from anything.

    Parameters
    ----------
    network : nengo.Network or None
        None: run ``model``.
    dt : float
        Length of a step in seconds.
    seed : int, optional
        For what is random while the network runs; by default from the network's seed, as Nengo does it.
    model : nengo.builder.Model, optional
        Built, or to be built into.
    progress_bar : bool or nengo.utils.progress.ProgressBar
    optimize : bool
        Merge operators that stay on the host.
    target : Target, optional
        What to run on; default: ``CPU`` in the precision of Nengo's configuration, which is float64 unless changed.

    Attributes
    ----------
    lifted : Lifted
        What the target runs and what stays on the host, and why; ``print(sim.lifted.text())``.
    program : Program or None
        The compiled network, as in ``sim.program.report()``; None if nothing was lifted.

    Raises
    ------
    TargetError
        No target; or, later, a signal is written to that the target holds.
    """

    def __init__(
        self,
        network: Any,
        dt: float = 0.001,
        seed: int | None = None,
        model: Any = None,
        progress_bar: Any = True,
        optimize: bool = True,
        *,
        target: Target | None = None,
    ) -> None:
        self.closed = True  # until everything is there
        self.progress_bar = progress_bar
        self.optimize = optimize
        if target is not None and (isinstance(target, type) or not hasattr(target, "compile")):
            raise TargetError(f"target={target!r}: give a target with its options, such as CPU() or SpiNNaker2()")
        if model is None:
            cache = get_default_decoder_cache()
            model = Model(dt=float(dt), label=f"{network}, dt={dt:f}", decoder_cache=cache)
        self.model = model
        if seed is None and network is not None and network.seed is not None:
            seed = network.seed + 1
        with ProgressTracker(progress_bar, Progress("Building", "Build")) as progress:
            if network is not None:
                model.build(network, progress=progress.next_stage("Building", "Build"))
            self._target = target
            self.lifted: Lifted = lift(model.operators, model.dt, _names(model))
            with progress.next_stage("Building (compiling for the target)", "Compilation"):
                self._engine = self._compiled(target)
            copies = {op: apart(op) for op in self.lifted.host}
            stay = [*copies.values(), *(() if self._engine is None else self._engine.operators())]
            replaced: Mapping[Any, Any] = {}
            self.dg = operator_dependency_graph(stay)
            if optimize:
                with progress.next_stage("Building (running optimizer)", "Optimization"):
                    stay, replaced = merged(model, stay, self.dg)
        self._step_order = [op for op in toposort(self.dg) if hasattr(op, "make_step")]
        self._drawing = [(op, copies.get(op)) for op in self.lifted.order if isinstance(op, SimProcess)]
        self._memory = signals_of(model.operators, stay, replaced)
        self.signals = Seen(self._memory, held(model.operators, self.lifted))
        self._sim_data = model.params
        self.data = SimulationData(self._sim_data)
        self.closed = False
        if seed is None:
            seed = np.random.randint(np.iinfo(np.int32).max)  # noqa: NPY002 - as Nengo draws it, after np.random.seed
        self.reset(seed)

    @property
    def program(self) -> Any:
        """The compiled network; None if nothing was lifted."""
        return None if self._engine is None else self._engine.program

    def reset(self, seed: int | None = None) -> None:
        """Back to the start.

        Parameters
        ----------
        seed : int, optional
            Another seed for what is random while the network runs; what was built stays.
        """
        if self.closed:
            raise SimulatorClosed("Cannot reset closed Simulator.")
        if seed is not None:
            self.seed = seed
        if self._engine is not None:
            self._engine.reset()
        for signal in self._memory:
            self._memory.reset(signal)
        self.rng = np.random.RandomState(self.seed)
        self._steps = self._made()
        self.clear_probes()
        self._probe_step_time()

    def _made(self) -> list[Any]:
        """Steps in their order.

        Every process without a seed of its own draws one, in the order in which Nengo has them before it merges
        operators: so a model's noise is that of ``nengo.Simulator(..., optimize=False)``, in every process of Python.
        """
        made: dict[Any, Any] = {}
        for op, here in self._drawing:
            if here is None:
                op.process.get_rng(self.rng)
            else:
                made[here] = here.make_step(self._memory, self.dt, self.rng)
        for op in self._step_order:
            if op not in made:
                made[op] = op.make_step(self._memory, self.dt, self.rng)
        return [made[op] for op in self._step_order]

    def run_steps(self, steps: int, progress_bar: Any = None) -> None:
        """Run so many steps.

        Ctrl-C ends the run when the present step is complete, so that one may look at the data and go on; pressed
        twice, at once.

        Parameters
        ----------
        steps : int
        progress_bar : bool or nengo.utils.progress.ProgressBar, optional
            By default the simulator's.
        """
        shown = self.progress_bar if progress_bar is None else progress_bar
        with (
            deferred_interrupt() as pressed,
            ProgressTracker(shown, Progress("Simulating", "Simulation", steps)) as progress,
        ):
            for _ in range(steps):
                self.step()
                progress.total_progress.step()
                if pressed():
                    raise KeyboardInterrupt

    def close(self) -> None:
        """Free what the target holds; data of probes stay."""
        super().close()
        self._engine = self._memory = None

    def __getstate__(self) -> dict[str, Any]:
        running = None if self.closed or self._engine is None else self._engine.program.state()
        signals = {} if self.closed else {s: array for s, array in self._memory.items() if not s.readonly}
        return {
            "model": self.model,
            "options": {"progress_bar": self.progress_bar, "optimize": self.optimize, "target": self._target},
            "seed": self.seed,
            "closed": self.closed,
            "signals": {s: array for s, array in signals.items() if not s.is_view},
            "running": running,
            "probed": {probe: self._sim_data[probe] for probe in self.model.probes},
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(None, seed=state["seed"], model=state["model"], **state["options"])  # type: ignore[misc]
        for signal, array in state["signals"].items():
            if signal in self._memory:  # else one that was merged of others, which are there
                self._memory[signal] = array
        if self._engine is not None and state["running"] is not None:
            self._engine.program.restore(state["running"])
        for probe, rows in state["probed"].items():
            self._sim_data[probe].extend(rows)
        self._probe_step_time()
        if state["closed"]:
            self.close()

    def _compiled(self, target: Target | None) -> Engine | None:
        if not self.lifted.cells:
            return None
        made = circuit(self.lifted, self.model.dt)
        if target is None:
            target = CPU(dtype="float64" if np.dtype(rc.float_dtype).itemsize == 8 else "float32")
        return Engine(made, target.compile(made.network, dt=self.model.dt * second, progress=False))


def _names(model: Any) -> dict[Any, str]:
    """Connections by the signal that comes out of them."""
    return {model.sig[c]["weighted"]: str(c) for c in model.params if isinstance(c, nengo.Connection)}

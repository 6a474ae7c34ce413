"""The picture of a simulation: events, states by unit, inputs, on one time axis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neuromorph.simulate import in_unit

if TYPE_CHECKING:
    from neuromorph.simulate import Simulation

INK, EVENT, DRIVE = "#333333", "#c0392b", "#777777"


def plot(run: Simulation, neurons: int = 5) -> Any:
    """Draw `run`; see :meth:`neuromorph.simulate.Simulation.plot`."""
    from matplotlib import pyplot

    drawn = min(neurons, run.n)
    states = _panels(run.states, drawn)
    inputs = _panels({name: x for name, x in run.inputs.items() if np.any(in_unit(x)[0])}, drawn)
    heights = ([0.5] if run.neuron.event is not None else []) + [1.6] * len(states) + [0.8] * len(inputs)
    size = (7.5, 0.9 + sum(heights))
    figure, grid = pyplot.subplots(
        len(heights), 1, sharex=True, squeeze=False, height_ratios=heights, figsize=size, layout="constrained"
    )
    axes = list(grid[:, 0])
    times = np.asarray(run.times.value) * 1e3
    figure.suptitle(f"{run.neuron.name}, dt {run.dt * 1e3:g} ms", x=0.01, ha="left", fontsize=10, color=INK)
    if run.neuron.event is not None:
        _events(axes.pop(0), run, drawn)
    for kind, panels in (("state", states), ("input", inputs)):
        for unit, lines in panels:
            ax = axes.pop(0)
            for name, values in lines:
                for k in range(values.shape[1]):
                    label = name if drawn == 1 else f"{name}[{k}]"
                    line, color = ("default", None) if kind == "state" else ("steps-post", DRIVE)
                    ax.plot(times, values[:, k], lw=1.1, label=label, drawstyle=line, color=color)
            names = ", ".join(name for name, _ in lines)
            ax.set_ylabel(f"{names}\n({unit})" if unit else names, fontsize=9)
            if len(lines) * drawn > 1:
                ax.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    for ax in figure.axes:
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(labelsize=8)
        ax.margins(x=0)
    figure.align_ylabels([ax for ax in figure.axes if ax.lines])
    figure.axes[-1].set_xlabel("time (ms)", fontsize=9)
    return figure


def _panels(recorded: Any, drawn: int) -> list[tuple[str, list[tuple[str, Any]]]]:
    """Variables by unit, each (steps, neurons drawn); the potential's unit first, for people look there first."""
    panels: dict[str, list[tuple[str, Any]]] = {}
    for name, x in recorded.items():
        values, unit = in_unit(x)
        panels.setdefault(unit, []).append((name, values[:, None] if values.ndim == 1 else values[:, :drawn]))
    return sorted(panels.items(), key=lambda panel: not panel[0].endswith("V"))


def _events(ax: Any, run: Simulation, drawn: int) -> None:
    shown = run.events.where(run.events.ids < drawn)
    ax.eventplot(
        [shown.times[shown.ids == k] for k in range(drawn)],
        lineoffsets=list(range(drawn)),
        linelengths=0.8,
        linewidths=1.2,
        colors=EVENT,
    )
    ax.set_ylim(-0.6, drawn - 0.4)
    ax.set_yticks([])
    ax.set_ylabel(run.neuron.event.name if run.neuron.event is not None else "", fontsize=9, rotation=0, ha="right")

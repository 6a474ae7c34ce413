"""NEST's glif_psc: the generalised integrate-and-fire neurons of the Allen Institute, made for what a circuit needs.

Teeter et al. (2018), "Generalized leaky integrate-and-fire models classify multiple neuron types", Nature
Communications 9, 709; each step as NEST computes it, all linear parts exactly. How many receptors and after-spike
currents a neuron has is up to its parameters, so neurons are made by a function; a sum has one term for each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from neuromorph.interchange.sonata.neurons import first_integral, second_integral
from neuromorph.language import Event, Expr, Neuron, Param, Port, State, dt, exp, step, where
from neuromorph.language.make import make_neuron
from neuromorph.units import ms, mV, nS, pA, pF

FLAGS = ("spike_dependent_threshold", "after_spike_currents", "adapting_threshold")
RECEPTOR_LISTS = ("tau_syn",)
CURRENT_LISTS = ("asc_decay", "asc_amps", "asc_r", "asc_init", "ASCurrents")

DEFAULTS = ((0.003 / ms, -9.18 * pA), (0.1 / ms, -198.94 * pA))
"""Rates and amplitudes of NEST's two after-spike currents."""

Symbols = dict[str, Port | Param | State | Event | Expr]


@dataclass(frozen=True)
class Shape:
    """What parameters decide about the equations.

    Attributes
    ----------
    receptors, currents : int
        Receptors of synapses; after-spike currents.
    spike_threshold, voltage_threshold : bool
        Whether spikes and the potential move the threshold; the former also resets the potential by a rule of its own.
    """

    receptors: int = 1
    currents: int = 0
    spike_threshold: bool = False
    voltage_threshold: bool = False

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Shape:
        """The shape that ``dynamics_params`` ask for."""
        spikes, after, voltage = (bool(given.get(flag, False)) for flag in FLAGS)
        sizes = [len(given[name]) for name in CURRENT_LISTS if isinstance(given.get(name), list)]
        receptors = given.get("tau_syn")
        return cls(
            max(len(receptors), 1) if isinstance(receptors, list) else 1,
            max(sizes, default=2) if after else 0,
            spikes,
            voltage,
        )

    @property
    def flags(self) -> dict[str, bool]:
        """As ``dynamics_params`` say it."""
        return dict(zip(FLAGS, (self.spike_threshold, self.currents > 0, self.voltage_threshold), strict=True))

    @property
    def name(self) -> str:
        """Of the neuron: as equal shapes are equal neurons."""
        marks = "R" * self.spike_threshold + "A" * self.voltage_threshold
        return f"GlifPsc{self.receptors}" + (f"Asc{self.currents}" if self.currents else "") + marks


@cache
def glif_psc(shape: Shape) -> Neuron:
    """The neuron of a shape; receptor k arrives at port ``syn_k``."""
    made: Symbols = {}
    g, c_m, e_l, t_ref = Param(9.43 * nS), Param(58.72 * pF), Param(-78.85 * mV), Param(3.75 * ms)
    v_th, v_reset, i_e = Param(-51.68 * mV), Param(-78.85 * mV), Param(0 * pA)
    v = State(-78.85 * mV)
    made |= {"g": g, "C_m": c_m, "E_L": e_l, "t_ref": t_ref, "V_th": v_th, "V_reset": v_reset, "I_e": i_e, "V_m": v}
    drive, held = _after_spike(made, shape.currents, i_e, t_ref)
    leak = exp(-dt * g / c_m)
    advanced = e_l + (v - e_l) * leak + drive * (1 - leak) / g
    advanced = _with_synapses(advanced, made, shape.receptors, g, c_m, leak)
    # time 0 is step 0, in which nothing advances
    v.next = where(step > 0, advanced, v)
    threshold: Expr = v_th
    if shape.voltage_threshold:
        a, b = Param(0.005 / ms), Param(0.09 / ms)
        moved = State(0 * mV)
        made |= {"th_voltage_index": a, "th_voltage_decay": b, "threshold_voltage": moved}
        phi, steady = a / (b - g / c_m), a / b * drive / g
        away = phi * (v - e_l - drive / g)
        moved.next = where(step > 0, away * leak + exp(-dt * b) * (moved - away - steady) + steady, moved)
        threshold = threshold + moved
        held.append(moved)
    if not shape.spike_threshold:
        v.reset = v_reset
        held.append(v)
    else:
        add, decay = Param(0.37 * mV), Param(0.009 / ms)
        fraction, offset = Param(0.2), Param(18.51 * mV)
        raised, before = State(0 * mV), State(-78.85 * mV)
        made |= {"th_spike_add": add, "th_spike_decay": decay, "threshold_spike": raised}
        made |= {"voltage_reset_fraction": fraction, "voltage_reset_add": offset, "V_before": before}
        raised.next = where(step > 0, raised * exp(-dt * decay), raised)
        raised.reset = raised * exp(-t_ref * decay) + add
        before.next = v  # NEST resets from the potential before the step
        v.reset = e_l + fraction * (before - e_l) + offset
        threshold = threshold + raised
        held += [raised, before, v]
    made["spike"] = Event(when=v > threshold, refractory=t_ref, hold=tuple(held))
    return make_neuron(shape.name, made, doc="NEST's glif_psc.")


def parameters(shape: Shape) -> dict[str, tuple[str, Any]]:
    """Names in ``dynamics_params`` with their units; ``name[k]`` is element k of a list."""
    names: dict[str, tuple[str, Any]] = {
        "g": ("g", nS),
        "C_m": ("C_m", pF),
        "t_ref": ("t_ref", ms),
        **{name: (name, mV) for name in ("E_L", "V_th", "V_reset", "V_m")},
    }
    names |= {f"tau_syn[{k}]": (f"tau_syn_{k}", ms) for k in _counted(shape.receptors)}
    for k in _counted(shape.currents):
        names |= {f"asc_decay[{k}]": (f"asc_decay_{k}", ms**-1), f"asc_r[{k}]": (f"asc_r_{k}", 1.0)}
        names |= {f"asc_amps[{k}]": (f"asc_amps_{k}", pA), f"ASCurrents[{k}]": (f"asc_{k}", pA)}
    if shape.spike_threshold:
        names |= {name: (name, mV) for name in ("th_spike_add", "voltage_reset_add", "threshold_spike")}
        names |= {
            "th_spike_decay": ("th_spike_decay", ms**-1),
            "voltage_reset_fraction": ("voltage_reset_fraction", 1.0),
        }
    if shape.voltage_threshold:
        names |= {name: (name, ms**-1) for name in ("th_voltage_index", "th_voltage_decay")}
        names["threshold_voltage"] = ("threshold_voltage", mV)
    return names


def idle(shape: Shape) -> frozenset[str]:
    """Names that NEST takes and makes no use of in this shape."""
    unused = ["asc_init"] if shape.currents else [*CURRENT_LISTS]  # NEST starts from ASCurrents
    if not shape.spike_threshold:
        unused += ["th_spike_add", "th_spike_decay", "voltage_reset_fraction", "voltage_reset_add"]
    if not shape.voltage_threshold:
        unused += ["th_voltage_index", "th_voltage_decay"]
    return frozenset(unused)


def asked_for(neuron: Neuron) -> dict[str, Any]:
    """``dynamics_params`` that ask for a shape like this neuron's."""
    names = [*(spec.name for spec in neuron.params), *(spec.name for spec in neuron.states)]
    currents = [0.0 for name in names if name.startswith("asc_amps_")]
    return {
        "tau_syn": [0.0 for name in names if name.startswith("tau_syn_")],
        "asc_amps": currents,
        "after_spike_currents": bool(currents),
        "spike_dependent_threshold": "threshold_spike" in names,
        "adapting_threshold": "threshold_voltage" in names,
    }


def _counted(n: int) -> range:
    return range(1, n + 1)


def _with_synapses(advanced: Expr, made: Symbols, receptors: int, g: Expr, c_m: Expr, leak: Expr) -> Expr:
    """Alpha currents of every receptor; the advanced potential with what they add to it."""
    for k in _counted(receptors):
        port, tau = Port(unit=pA), Param(2 * ms)
        current, slope = State(0 * pA), State(0 * pA / ms)
        made |= {f"syn_{k}": port, f"tau_syn_{k}": tau, f"I_syn_{k}": current, f"slope_{k}": slope}
        decay, z = exp(-dt / tau), dt * g / c_m - dt / tau
        current.next = decay * (current + dt * slope)
        slope.next = decay * slope + exp(1) / tau * port
        added = dt * second_integral(z) * slope + first_integral(z) * current
        advanced = advanced + dt / c_m * leak * added
    return advanced


def _after_spike(made: Symbols, currents: int, drive: Expr, t_ref: Expr) -> tuple[Expr, list[State]]:
    """The drive with the means of all after-spike currents over a step, and their states."""
    states = []
    for k in _counted(currents):
        rate, amplitude = (Param(value) for value in DEFAULTS[(k - 1) % len(DEFAULTS)])
        kept, current = Param(1.0), State(0 * pA)
        made |= {f"asc_decay_{k}": rate, f"asc_amps_{k}": amplitude, f"asc_r_{k}": kept, f"asc_{k}": current}
        current.next = where(step > 0, current * exp(-dt * rate), current)
        current.reset = amplitude + current * kept * exp(-rate * t_ref)
        drive = drive + current * (1 - exp(-dt * rate)) / (rate * dt)
        states.append(current)
    return drive, states

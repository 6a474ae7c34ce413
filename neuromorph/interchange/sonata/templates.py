"""What SONATA's model templates mean here: a neuron, its parameters' names and units, and where events arrive."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import Any

from neuromorph.interchange.sonata.conductances import IafCondAlpha, IafCondExp
from neuromorph.interchange.sonata.glif import FLAGS, Shape, asked_for, glif_psc, idle, parameters
from neuromorph.interchange.sonata.neurons import IafPscAlpha, IafPscDelta, IafPscExp, IntFire1, Izhikevich
from neuromorph.language import Neuron
from neuromorph.units import as_quantity, ms, mV, nA, nF, nS, pA, pF, second


@dataclass(frozen=True)
class Template:
    """A model template, ``nest:iaf_psc_exp``, as a neuron.

    Attributes
    ----------
    neuron : Neuron
    parameters : mapping of str to (str, Unit or number)
        For each name in ``dynamics_params``: the neuron's parameter or state, and what 1 is there. ``name[k]`` is
        element k, from 1, of a list.
    excitatory, inhibitory : str
        Ports of edges with positive and with negative weights; may be the same.
    weight : Quantity, Unit or number, optional
        What a ``syn_weight`` of 1 is; None: 1 of the port's unit.
    fixed : mapping of str to value
        Names in ``dynamics_params`` that may be there with this value alone, as the neuron has no other.
    idle : frozenset of str
        Names in ``dynamics_params`` that the model takes and makes no use of.
    receptors : mapping of str to str
        Ports by what edges call ``receptor_type``; empty: the sign of the weight alone decides.
    magnitudes : bool
        Weights are conductances: a negative one is that much at the inhibitory port.
    current : (str, Unit or number), optional
        The neuron's parameter that current clamps add to, and what an amplitude of 1 is there.
    current_lag : int
        Steps from the time of a clamp to the end of the first step in which it acts.
    shaped : callable, optional
        What ``dynamics_params`` decide about the equations: gives the template that they ask for.
    """

    neuron: Neuron
    parameters: Mapping[str, tuple[str, Any]]
    excitatory: str
    inhibitory: str
    weight: Any = None
    fixed: Mapping[str, Any] = field(default_factory=dict)
    idle: frozenset[str] = frozenset()
    receptors: Mapping[str, str] = field(default_factory=dict)
    magnitudes: bool = False
    current: tuple[str, Any] | None = None
    current_lag: int = 1
    shaped: Callable[[Mapping[str, Any]], Template] | None = None

    @classmethod
    def of(
        cls, neuron: Neuron, weight: Any = None, excitatory: str | None = None, inhibitory: str | None = None
    ) -> Template:
        """The template that a neuron of your own stands for.

        Its parameters and initial states have the names and the units that they have in its class body.

        Parameters
        ----------
        neuron : Neuron
        weight : Quantity or number, optional
            What a ``syn_weight`` of 1 is; default: 1 of the port's unit.
        excitatory, inhibitory : str, optional
            Ports for positive and negative weights; default: those of the model in :data:`TEMPLATES` that the neuron
            is, else the first port for both.

        Raises
        ------
        LanguageError
            If the neuron has no such port.
        """
        names = {spec.name: (spec.name, spec.unit) for spec in neuron.params}
        names |= {spec.name: (spec.name, spec.unit) for spec in neuron.states}
        known = template_of(neuron)
        if known is not None and excitatory is None:
            excitatory, inhibitory = known[1].excitatory, inhibitory or known[1].inhibitory
        excitatory = excitatory or (neuron.ports[0].name if neuron.ports else "")
        inhibitory = inhibitory or excitatory
        for name in {excitatory, inhibitory} if neuron.ports else ():
            neuron.port(name)
        return cls(neuron, names, excitatory, inhibitory, weight)

    def port_of(self, negative: bool) -> str:
        """Where edges of this sign arrive."""
        return self.inhibitory if negative else self.excitatory

    @property
    def flags(self) -> dict[str, bool]:
        """What ``dynamics_params`` have to say for the equations to be these."""
        return {} if self.shaped is None else {name: value for name, value in self.fixed.items() if name in FLAGS}

    @property
    def numbered(self) -> bool:
        """Whether receptors have numbers, so that every edge has to name one."""
        return "1" in self.receptors

    def scale(self, port: str) -> float:
        """What a ``syn_weight`` of 1 is at a port, in SI units."""
        return unit_value(self.neuron.port(port).unit if self.weight is None else self.weight)


_POTENTIALS = {name: (name, mV) for name in ("E_L", "V_th", "V_reset", "V_m")}
_CELL = {**_POTENTIALS, "C_m": ("C_m", pF), "t_ref": ("t_ref", ms), "I_e": ("I_e", pA)}
_MEMBRANE = {**_CELL, "tau_m": ("tau_m", ms)}
_SYNAPSES = {"tau_syn_ex": ("tau_syn_ex", ms), "tau_syn_in": ("tau_syn_in", ms)}
_CONDUCTANCES = {
    "g_L": ("g_l", nS),
    "g_ex": ("g_ex", nS),
    "g_in": ("g_in", nS),
    "E_ex": ("E_ex", mV),
    "E_in": ("E_in", mV),
}
_PYNN = {
    "cm": ("C_m", nF),
    "tau_m": ("tau_m", ms),
    "tau_refrac": ("t_ref", ms),
    "tau_syn_E": ("tau_syn_ex", ms),
    "tau_syn_I": ("tau_syn_in", ms),
    "v_rest": ("E_L", mV),
    "v_thresh": ("V_th", mV),
    "v_reset": ("V_reset", mV),
    "i_offset": ("I_e", nA),
    "v": ("V_m", mV),
}
_PYNN_DEFAULTS: dict[str, Any] = {
    "C_m": 1 * nF,
    "tau_m": 20 * ms,
    "t_ref": 0.1 * ms,
    "tau_syn_ex": 5 * ms,
    "tau_syn_in": 5 * ms,
    "E_L": -65 * mV,
    "V_th": -50 * mV,
    "V_reset": -65 * mV,
    "V_m": -65 * mV,
}


def _nest(neuron: Neuron, names: Mapping[str, tuple[str, Any]], **more: Any) -> Template:
    """A model of NEST's: events of its current generators, which come late, first act in the second step."""
    ports = [port.name for port in neuron.ports]
    fixed = {"ignore_and_spike": False, **more.pop("fixed", {})}
    current = more.pop("current", ("I_e", pA))
    return Template(neuron, names, ports[0], ports[-1], fixed=fixed, current=current, current_lag=2, **more)


def _pynn(neuron: Neuron, names: Mapping[str, tuple[str, Any]], weight: Any, **more: Any) -> Template:
    receptors = {"excitatory": "ex", "inhibitory": "inh"}
    return Template(neuron, names, "ex", "inh", weight, receptors=receptors, current=("I_e", nA), **more)


def _glif(given: Mapping[str, Any]) -> Template:
    """The template of glif_psc for these ``dynamics_params``."""
    shape = Shape.of(given)
    receptors = {str(k): f"syn_{k}" for k in range(1, shape.receptors + 1)}
    more: dict[str, Any] = {"fixed": shape.flags, "idle": idle(shape), "receptors": receptors, "shaped": _glif}
    return _nest(glif_psc(shape), parameters(shape), weight=pA, **more)


TEMPLATES: Mapping[str, Template] = {
    # The Brain Modeling Toolkit gives NEURON's IntFire1 its times in seconds.
    "nrn:IntFire1": Template(
        IntFire1,
        {"tau": ("tau", second), "refrac": ("refrac", second)},
        "w",
        "w",
        fixed={"type": "NEURON_IntFire1"},
    ),
    "nest:iaf_psc_delta": _nest(IafPscDelta, _MEMBRANE, fixed={"refractory_input": False}),
    "nest:iaf_psc_exp": _nest(IafPscExp, {**_MEMBRANE, **_SYNAPSES}, weight=pA, fixed={"delta": 0.0, "rho": 0.01}),
    "nest:iaf_psc_alpha": _nest(IafPscAlpha, {**_MEMBRANE, **_SYNAPSES}, weight=pA),
    "nest:iaf_cond_exp": _nest(IafCondExp, {**_CELL, **_CONDUCTANCES, **_SYNAPSES}, weight=nS, magnitudes=True),
    "nest:iaf_cond_alpha": _nest(
        IafCondAlpha,
        {**_CELL, **_CONDUCTANCES, **_SYNAPSES, "dg_ex": ("dg_ex", nS / ms), "dg_in": ("dg_in", nS / ms)},
        weight=nS,
        magnitudes=True,
    ),
    "nest:glif_psc": _glif({}),
    "nest:izhikevich": _nest(
        Izhikevich,
        {name: (name, 1.0) for name in ("a", "b", "c", "d", "V_th", "I_e", "V_m", "U_m")},
        weight=1.0,
        fixed={"consistent_integration": True},
        current=("I_e", 1.0),
    ),
    "pyNN:IF_curr_exp": _pynn(IafPscExp(**_PYNN_DEFAULTS), _PYNN, nA),
    "pyNN:IF_curr_alpha": _pynn(IafPscAlpha(**_PYNN_DEFAULTS), _PYNN, nA),
}
"""Templates that need no help. ``from_sonata(models=...)`` takes others."""

_ELEMENT = re.compile(r"(.*)\[(\d+)\]")


def values_of(template: Template, given: Mapping[str, Any], subject: str, problems: list[str]) -> dict[str, float]:
    """A type's ``dynamics_params`` as values of the neuron's parameters and states, in SI units.

    Names that the model does not have, and values that it cannot have, are added to ``problems``.
    """
    values: dict[str, float] = {}
    for name, value in _elements(template, given, subject, problems).items():
        if name in template.idle:
            continue
        if name in template.fixed:
            if value != template.fixed[name]:
                problems.append(
                    f"{subject}: {name} is {value!r}; {template.neuron.name} has {template.fixed[name]!r} alone"
                )
        elif name not in template.parameters:
            have = ", ".join(joined(dict.fromkeys(template.parameters))) or "none"
            problems.append(f"{subject}: {template.neuron.name} has no parameter {name!r}; it has {have}")
        elif isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
            problems.append(f"{subject}: {name} is {value!r}; a number is expected")
        else:
            ours, unit = template.parameters[name]
            values[ours] = float(value) * unit_value(unit)
    return values


def _elements(template: Template, given: Mapping[str, Any], subject: str, problems: list[str]) -> dict[str, Any]:
    """Parameters with those that are lists as ``name[k]``."""
    found: dict[str, Any] = {}
    sizes = {
        name: len(value) for name, value in joined(dict.fromkeys(template.parameters)).items() if value is not None
    }
    for name, value in given.items():
        if name not in sizes:
            found[name] = value
        elif not isinstance(value, list) or len(value) != sizes[name]:
            problems.append(f"{subject}: {name} is {value!r}; a list of {sizes[name]} numbers is expected")
        else:
            found |= {f"{name}[{k}]": element for k, element in enumerate(value, 1)}
    return found


def joined(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values with ``name[1]``, ``name[2]`` and so on, which are in order, as one list."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        whole = list_name(name)
        if whole == name:
            found[name] = value
        else:
            found.setdefault(whole, []).append(value)
    return found


def list_name(name: str) -> str:
    """The list that ``name[k]`` is an element of; other names as they are."""
    element = _ELEMENT.fullmatch(name)
    return name if element is None else element[1]


def unit_value(unit: Any) -> float:
    """1 of a template's unit, in SI units."""
    return float(as_quantity(unit).value)


def refusal(model_type: str | None, template: str | None) -> str:
    """Why a type of nodes cannot be taken over, and what to do."""
    known = ", ".join(TEMPLATES)
    if model_type in ("biophysical", "single_compartment", "astrocyte", "vasculature"):
        return (
            f"model_type {model_type}: cells with morphologies and NEURON's mechanisms have no equivalent among point "
            "neurons; give a neuron for them with models=, or leave them out of the configuration"
        )
    named = f"model_template {template}" if template else "no model_template"
    return f"{named}: known are {known}; give another with models={{{template or 'its population'!r}: ...}}"


def template_of(neuron: Neuron) -> tuple[str, Template] | None:
    """The name in :data:`TEMPLATES` of a neuron, whatever its values, and its template; None: it has none."""
    bare = replace(neuron, values=())
    for name, made in TEMPLATES.items():
        shaped = made if made.shaped is None else made.shaped(asked_for(neuron))
        if replace(shaped.neuron, values=()) == bare:
            return name, shaped
    return None

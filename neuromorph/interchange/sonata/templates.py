"""What SONATA's model templates mean here: a neuron, its parameters' names and units, and where events arrive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from neuromorph.interchange.sonata.neurons import IafPscAlpha, IafPscDelta, IafPscExp, IntFire1, Izhikevich
from neuromorph.language import Neuron
from neuromorph.units import as_quantity, ms, mV, nA, nF, pA, pF, second


@dataclass(frozen=True)
class Template:
    """A model template, ``nest:iaf_psc_exp``, as a neuron.

    Attributes
    ----------
    neuron : Neuron
    parameters : mapping of str to (str, Unit or number)
        For each name in ``dynamics_params``: the neuron's parameter or state, and what 1 is there.
    excitatory, inhibitory : str
        Ports of edges with positive and with negative weights; may be the same.
    weight : Quantity, Unit or number, optional
        What a ``syn_weight`` of 1 is; None: 1 of the port's unit.
    fixed : mapping of str to value
        Names in ``dynamics_params`` that may be there with this value alone, as the neuron has no other.
    """

    neuron: Neuron
    parameters: Mapping[str, tuple[str, Any]]
    excitatory: str
    inhibitory: str
    weight: Any = None
    fixed: Mapping[str, Any] = field(default_factory=dict)

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
            excitatory, inhibitory = TEMPLATES[known].excitatory, inhibitory or TEMPLATES[known].inhibitory
        excitatory = excitatory or (neuron.ports[0].name if neuron.ports else "")
        inhibitory = inhibitory or excitatory
        for name in {excitatory, inhibitory} if neuron.ports else ():
            neuron.port(name)
        return cls(neuron, names, excitatory, inhibitory, weight)

    def port_of(self, negative: bool) -> str:
        """Where edges of this sign arrive."""
        return self.inhibitory if negative else self.excitatory

    def scale(self, port: str) -> float:
        """What a ``syn_weight`` of 1 is at a port, in SI units."""
        return unit_value(self.neuron.port(port).unit if self.weight is None else self.weight)


_MEMBRANE = {
    "C_m": ("C_m", pF),
    "tau_m": ("tau_m", ms),
    "t_ref": ("t_ref", ms),
    "E_L": ("E_L", mV),
    "V_th": ("V_th", mV),
    "V_reset": ("V_reset", mV),
    "I_e": ("I_e", pA),
    "V_m": ("V_m", mV),
}
_SYNAPSES = {"tau_syn_ex": ("tau_syn_ex", ms), "tau_syn_in": ("tau_syn_in", ms)}
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
_NEST_EVERYWHERE = {"ignore_and_spike": False}

TEMPLATES: Mapping[str, Template] = {
    # The Brain Modeling Toolkit gives NEURON's IntFire1 its times in seconds.
    "nrn:IntFire1": Template(
        IntFire1,
        {"tau": ("tau", second), "refrac": ("refrac", second)},
        "w",
        "w",
        fixed={"type": "NEURON_IntFire1"},
    ),
    "nest:iaf_psc_delta": Template(
        IafPscDelta, _MEMBRANE, "delta", "delta", None, {"refractory_input": False, **_NEST_EVERYWHERE}
    ),
    "nest:iaf_psc_exp": Template(
        IafPscExp, {**_MEMBRANE, **_SYNAPSES}, "ex", "inh", pA, {"delta": 0.0, "rho": 0.01, **_NEST_EVERYWHERE}
    ),
    "nest:iaf_psc_alpha": Template(IafPscAlpha, {**_MEMBRANE, **_SYNAPSES}, "ex", "inh", pA, dict(_NEST_EVERYWHERE)),
    "nest:izhikevich": Template(
        Izhikevich,
        {name: (name, 1.0) for name in ("a", "b", "c", "d", "V_th", "I_e", "V_m", "U_m")},
        "delta",
        "delta",
        1.0,
        {"consistent_integration": True, **_NEST_EVERYWHERE},
    ),
    "pyNN:IF_curr_exp": Template(IafPscExp(**_PYNN_DEFAULTS), _PYNN, "ex", "inh", nA),
    "pyNN:IF_curr_alpha": Template(IafPscAlpha(**_PYNN_DEFAULTS), _PYNN, "ex", "inh", nA),
}
"""Templates that need no help. ``from_sonata(models=...)`` takes others."""


def values_of(template: Template, given: Mapping[str, Any], subject: str, problems: list[str]) -> dict[str, float]:
    """A type's ``dynamics_params`` as values of the neuron's parameters and states, in SI units.

    Names that the model does not have, and values that it cannot have, are added to ``problems``.
    """
    values: dict[str, float] = {}
    for name, value in given.items():
        if name in template.fixed:
            if value != template.fixed[name]:
                problems.append(
                    f"{subject}: {name} is {value!r}; {template.neuron.name} has {template.fixed[name]!r} alone"
                )
        elif name not in template.parameters:
            have = ", ".join(template.parameters) or "none"
            problems.append(f"{subject}: {template.neuron.name} has no parameter {name!r}; it has {have}")
        elif isinstance(value, bool) or not isinstance(value, int | float):
            problems.append(f"{subject}: {name} is {value!r}; a number is expected")
        else:
            ours, unit = template.parameters[name]
            values[ours] = float(value) * unit_value(unit)
    return values


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


def template_of(neuron: Neuron) -> str | None:
    """The name in :data:`TEMPLATES` of a neuron, whatever its values; None: it has none."""
    bare = replace(neuron, values=())
    return next((name for name, made in TEMPLATES.items() if replace(made.neuron, values=()) == bare), None)

"""What of a Nengo model cannot become a network: everything at once, each by name and with the reason."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from neuromorph.interchange.nengo.learning import refusal as learning_refusal
from neuromorph.interchange.nengo.neurons import refusal as neuron_refusal
from neuromorph.interchange.nengo.processes import filter_of

_STATES = ("voltage", "refractory_time", "adaptation", "recovery", "rate_out")
RECORDED = {"input": "current", **{name: name for name in _STATES}}
"""What a probe of neurons records, by the attribute that it probes."""
_PROBES = {
    "Ensemble": ("decoded_output", "input"),
    "Neurons": ("output", "spikes", "rates", *RECORDED),
    "Node": ("output",),
    "Connection": ("output", "weights"),
}
_HOST = "run the model by neuromorph.nengo.Simulator, which keeps a host"


def passes_on(thing: Any) -> bool:
    """Whether a node or an ensemble only passes on what it gets."""
    kind = getattr(thing, "neuron_type", None)
    return type(kind).__name__ == "Direct" if kind is not None else thing.output is None


def problems(model: Any, dt: float, duration: Any) -> list[str]:
    """Everything in a model that cannot be taken.

    Parameters
    ----------
    model : nengo.Network
    dt : float
        Length of a step in seconds.
    duration : Quantity, float or None
        As `from_nengo` takes it.
    """
    return [
        *_of_ensembles(model, duration),
        *_of_nodes(model, duration),
        *_of_connections(model, dt),
        *_of_probes(model, dt),
    ]


def _of_ensembles(model: Any, duration: Any) -> Iterator[str]:
    for cells in model.all_ensembles:
        refused = None if passes_on(cells) else neuron_refusal(cells.neuron_type)
        if refused:
            yield f"{cells}: {refused}"
        if cells.noise is not None and passes_on(cells):
            yield f"{cells}: noise without neurons"
        elif cells.noise is not None and duration is None:
            yield f"{cells}: it has noise; give duration=, for how long to draw it"


def _of_nodes(model: Any, duration: Any) -> Iterator[str]:
    import nengo

    for node in model.all_nodes:
        computed = callable(node.output) or isinstance(node.output, nengo.Process)
        if computed and node.size_in:
            yield f"{node}: it computes its output from input, in Python and in every step; {_HOST}"
        elif computed and duration is None:
            yield f"{node}: its output changes in time; give duration=, for how long to compute it"


def _of_connections(model: Any, dt: float) -> Iterator[str]:
    import nengo

    neurons = nengo.ensemble.Neurons
    for c in model.all_connections:
        rules = [] if c.learning_rule is None else c.learning_rule
        for rule in rules.values() if isinstance(rules, dict) else rules if isinstance(rules, list) else [rules]:
            refused = learning_refusal(rule)
            if refused:
                yield f"{c}: {refused}"
        if type(c.transform).__module__.split(".")[0] != "nengo":
            yield f"{c}: the transform {type(c.transform).__name__} is not Nengo's own"
        ensemble = isinstance(c.pre_obj, nengo.Ensemble)
        if c.function is not None and (ensemble or isinstance(c.pre_obj, nengo.Node)) and passes_on(c.pre_obj):
            what = "an ensemble in direct mode" if ensemble else "a passthrough node"
            yield f"{c}: a function of what {what} passes on, in Python and in every step; {_HOST}"
        for end in (c.pre_obj, c.post_obj):
            if isinstance(end, neurons) and passes_on(end.ensemble):
                yield f"{c}: {end} has no neurons in direct mode"
        if c.synapse is not None and filter_of(c.synapse, dt) is None:
            yield f"{c}: {c.synapse} is no filter that can be carried over"
    for cells in model.all_ensembles:
        moving = [c for c in model.all_connections if c.post_obj is cells and _moves_encoders(c)]
        if len(moving) > 1:
            yield f"{cells}: {len(moving)} learning rules move its encoders; there can be one"


def _moves_encoders(c: Any) -> bool:
    return getattr(c.learning_rule_type, "modifies", None) == "encoders"


def _of_probes(model: Any, dt: float) -> Iterator[str]:
    import nengo

    for probe in model.all_probes:
        kinds = (nengo.Ensemble, nengo.ensemble.Neurons, nengo.Node, nengo.Connection)
        kind = next((k.__name__ for k in kinds if isinstance(probe.obj, k)), "")
        if probe.attr not in _PROBES.get(kind, ()):
            yield f"{probe}: {probe.attr!r} of {probe.obj} cannot be probed"
            continue
        every = 1.0 if probe.sample_every is None else probe.sample_every / dt
        if round(every) < 1 or abs(every - round(every)) > 1e-6 * every:
            yield f"{probe}: sample_every={probe.sample_every} is no whole number of steps of {dt} s"
        recorded = probe.attr == "weights" or (kind == "Neurons" and (probe.attr in RECORDED or probe.synapse is None))
        if recorded and probe.slice is not None:
            yield f"{probe}: it probes a part; probe the whole"
        if recorded and probe.attr not in ("output", "spikes", "rates") and probe.synapse is not None:
            yield f"{probe}: a filtered {probe.attr}; probe it with synapse=None"
        if probe.synapse is not None and filter_of(probe.synapse, dt) is None:
            yield f"{probe}: {probe.synapse} is no filter that can be carried over"
        if probe.attr == "weights" and (probe.obj.learning_rule is None or _moves_encoders(probe.obj)):
            yield f"{probe}: the weights of {probe.obj} do not change; read them from nengo's built model"

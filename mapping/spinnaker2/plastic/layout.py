"""Bytes of projections whose synapses change, in the memory of the PEs that hold their targets.

All belong to a synapse, a source whose events a PE hears, a target, or the PE itself:

===========  =========================================================================================================
a synapse    4 B for each state, the weight among them; where events of the target change it: 4 B in the target's list
             of synapses, and 2 B (its source's row on this PE) if they depend on the source; the delay of each
             pathway whose synapses have delays of their own
a source     4 B for each of its states; events that are still to act: a bit for each step, or 4 B if they carry values;
             what synapses see of it: 4 B for each step that they look back, and one more
a target     4 B for each of its states and intermediates that synapses see; where its events change synapses: 4 B for
             where its list begins; events that are still to act: a bit for each step; what synapses see of a third
             neuron of its own
a PE         4 B for each parameter; what synapses see of a third neuron that all share
===========  =========================================================================================================

A source's bytes stand in its look-up entry, which has one size for all sources of a population on all PEs.
"""

from __future__ import annotations

from neuromorph.engine.plastic.codegen import reads_sources
from neuromorph.engine.plastic.kernel import parameter_places
from neuromorph.lowering.plastic import PlasticProjection, View
from neuromorph.lowering.program import LoweredNetwork

from ..options import WORD

LISTED, SOURCE_ROW = WORD, 2


def synapse_bytes(plastic: PlasticProjection) -> int:
    """Bytes of each synapse besides the head, which names target, delay and projection."""
    program = plastic.program
    size = WORD * len(program.of_place("synapse"))
    if _by_target(plastic):
        size += LISTED + SOURCE_ROW * reads_sources(program)
    for route in plastic.routes:
        if any(group.index is not None for group in route):
            longest = max((group.lag for group in route), default=0)
            size += -(-longest.bit_length() // 8)
    return size


def source_bytes(lowered: LoweredNetwork, plastic: PlasticProjection) -> int:
    """Bytes of each source on every PE that hears it."""
    steps = _steps_kept(plastic, "pre")
    events = WORD * steps if lowered.populations[plastic.pre].graded else -(-steps // 8)
    seen = sum(_view_bytes(view) for view in plastic.views if view.end == "pre")
    return WORD * len(plastic.program.of_place("pre")) + events + seen


def target_bytes(lowered: LoweredNetwork, plastic: PlasticProjection) -> int:
    """Bytes of each target, what its population keeps for all who see it excepted."""
    size = WORD * len(plastic.program.of_place("post")) + WORD * _by_target(plastic)
    steps = _steps_kept(plastic, "post")
    if steps > 1:  # an event that acts in its own step is not kept
        size += -(-steps // 8)
    own = [view for view in plastic.views if _is_remote_third(plastic, view) and not _shared(lowered, view)]
    return size + sum(map(_view_bytes, own))


def shared_bytes(lowered: LoweredNetwork, plastic: PlasticProjection) -> int:
    """Bytes of each PE that holds a target."""
    _, floats, ints = parameter_places(plastic.program)
    one = [view for view in plastic.views if _is_remote_third(plastic, view) and _shared(lowered, view)]
    return WORD * (floats + ints) + sum(map(_view_bytes, one))


def _by_target(plastic: PlasticProjection) -> bool:
    """Whether events of a target change its synapses."""
    return any(path.end == "post" and "synapse" in path.updates for path in plastic.program.paths)


def _steps_kept(plastic: PlasticProjection, end: str) -> int:
    """Steps whose events are still to act, this one among them."""
    routes = zip(plastic.program.paths, plastic.routes, strict=True)
    return 1 + max((group.lag for path, route in routes if path.end == end for group in route), default=0)


def _is_remote_third(plastic: PlasticProjection, view: View) -> bool:
    return view.end == "third" and view.population != plastic.post


def _shared(lowered: LoweredNetwork, view: View) -> bool:
    return lowered.populations[view.population].size == 1


def _view_bytes(view: View) -> int:
    return WORD * (view.lag + 1)

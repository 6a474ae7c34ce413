"""Projections whose synapses change: how the reference defines them, and how the compiled engine runs them.

In step s, for each plastic projection in the network's order:

1. Every ``.dot`` is integrated over dt and every ``.next`` evaluated, all from the values before.
2. Events that were sent ``delay`` steps ago arrive. Each of their synapses adds ``weight * value`` to the port's sum of
   step s (where equations see the weight in the unit of the port, ``weight * (unit * value)``, each product rounded),
   with the weight as it is now, and after everything that projections without plasticity bring: by step of sending,
   then source, then place in the row. Then every ``.on_pre`` is evaluated from the values before the event; a
   PreState's once for the source, the others' once for each synapse.

When every projection has done so, the populations make step s. Then, for each plastic projection in order:

3. For each target that had an event in step s, every ``.on_post`` is evaluated from the values before it; a PostState's
   once for the target, the others' once for each synapse.

A PostView sees the target at the end of step s - 1 in 1 and 2, at the end of step s in 3; a PreView and a Third see
their neuron at the end of step s - d all the while, d the projection's shortest delay. Before the first step, states
have the values that they begin it with, and intermediates are 0.

Outputs take the place of the weight: an event adds what they say, computed from the values before it, and what they
add in every step comes after 1, before any event.

Late synapses do all but that once the populations have made step s and its events are on their way, path by path:
events of the source that were sent ``delay - 1`` steps ago, then those of the target; what they add arrives in step
s + 1, as it does where synapses are not late. There every view sees its neuron at the end of step s (in what is added
in every step: of step s - 1), and every path may have delays of its own, at least 1: then it acts in this very step.

A synapse draws the words of its number among the projection's, with a key of the projection's own.
"""

from neuromorph.engine.plastic.synapse_values import SynapseValues

__all__ = ["SynapseValues"]

"""Networks written for Brian 2.

`walk` says which objects there are; `clocks` and `schedule` when they act. `expressions` reads Brian 2's strings with
the `functions` that they call, and `names` says what the identifiers in them stand for.

What acts on a group, be it its equations, resets, ``run_regularly`` or what comes through synapses, is an `Operation`
(`moment`; made in `operations`): it has a place in Brian 2's step, and changes the group's variables at a `Moment`.
`neuron` makes a neuron of a group and its operations: in equations where that says the same, else `stepwise`, operation
after operation. `samples` keeps what monitors see. `sources` replays spikes and tables over time, `synapses` turns
Synapses into connections and operations, and `build` puts the network together.
"""

from neuromorph.interchange.brian2.build import from_brian2

__all__ = ["from_brian2"]

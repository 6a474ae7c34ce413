"""Models written for Nengo: taken in as networks, or run step by step by ``neuromorph.nengo.Simulator``.

``nengo.builder.Model`` solves decoders and draws what is random, always. What it built is then taken over:

=================  ==========================================  ==================================================
Module             From Nengo                                  To
=================  ==========================================  ==================================================
``neurons``        a neuron type, its built states             a neuron: ``UPDATES[name](kind, initial, arriving,
                                                               present)`` gives its symbols and initial values
``filters``        a synapse (Lowpass, Alpha, LinearFilter)    a `Filter` behind a port; read-outs and relays
``processes``      a process, other synapses                   a series of values, a source, or a `Filter`
``transforms``     Dense, Sparse, Convolution, ...             the matrix or the shared weights of a projection
``learning``       a learning rule                             a plastic projection, or why there is none
``paths``          connections and passthrough nodes           a `Path` from a source to a target
``network``        a whole model                               a ``Network`` (``from_nengo``)
``lift``           the operators of a built model              what the engine runs: ensembles, and connections
                                                               between them; the rest stays on the host
``host``           the operators that stay                     one function for each step, Nengo's own: nodes,
                                                               processes, learning rules, probes
``simulator``      ``nengo.Simulator``'s contract              a live program and the host, in turns
=================  ==========================================  ==================================================

A neuron type, once in ``UPDATES``, is run by both. A learning rule stays on the host in the simulator: there the
decoders change, and the engine gets what they decode. ``network`` has no host and refuses what none of these modules
can say.
"""

from neuromorph.interchange.nengo.network import from_nengo

__all__ = ["from_nengo"]

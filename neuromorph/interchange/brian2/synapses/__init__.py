"""Brian 2's ``Synapses`` as projections of ours: ``projections.py`` takes them, the others are what it needs."""

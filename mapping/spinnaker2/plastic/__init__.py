"""Synapses that change, on PEs: what they take and cost, and how each PE hears, sees and updates them."""

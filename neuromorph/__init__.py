"""Write a neuron once; run its network on CPUs and on neuromorphic machines, and see what it costs."""

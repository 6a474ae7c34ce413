"""Networks as modules of PyTorch: parameters, sequences, states, and the way back to a network."""

"""Step programs printed for PyTorch, with their derivatives and the surrogates of events."""

"""Modules beside the engines: sums in the engines' order, and the comparison with a target."""

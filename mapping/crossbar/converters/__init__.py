"""Converters at the borders of arrays, and the choice of their ranges from data."""

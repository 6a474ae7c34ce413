"""The commands behind ``neuromorph`` on the command line, one module each.

Like examples and tests, this folder puts things together, so it may import every room; nothing imports it but
``neuromorph.__main__``.
"""

"""Machines and how a network gets onto them: partition, place, route, tables, and a folder for each target."""

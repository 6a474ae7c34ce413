"""What counted actions cost: energy, time and area by the prices of a machine file."""

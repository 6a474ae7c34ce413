"""Brian 2's device: an unchanged script runs on one of our targets. ``device.py`` is the device itself."""

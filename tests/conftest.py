"""What all tests share."""

from hypothesis import settings

# how long an example takes says nothing on a busy machine
settings.register_profile("neuromorph", deadline=None)
settings.load_profile("neuromorph")

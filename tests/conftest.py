"""What all tests share."""

import signal

from hypothesis import settings

# how long an example takes says nothing on a busy machine
settings.register_profile("neuromorph", deadline=None)
settings.load_profile("neuromorph")

# a shell's background job ignores Ctrl-C and so would its children; tests press it
signal.signal(signal.SIGINT, signal.default_int_handler)

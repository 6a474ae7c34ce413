"""What all tests share."""

import gc
import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

# how long an example takes says nothing on a busy machine
settings.register_profile("neuromorph", deadline=None)
settings.load_profile("neuromorph")

# a shell's background job ignores Ctrl-C and so would its children; tests press it
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def one_torch_thread() -> Iterator[None]:
    """PyTorch on one thread, for sums whose order must not depend on the machine."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True, scope="module")
def _garbage_of_others(request: pytest.FixtureRequest) -> Iterator[None]:
    """Brian 2 collects garbage in every run: what other tests left alive is not looked at each time."""
    if "brian2" in request.node.name:
        gc.collect()
        gc.freeze()
    yield
    gc.unfreeze()

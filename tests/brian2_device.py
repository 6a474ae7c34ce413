"""What the tests of Brian 2's device share: scripts that run on it, and in Brian 2."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import brian2 as b2
import pytest
from brian2.devices.device import previous_devices, reinit_devices

import neuromorph.brian2  # noqa: F401  makes the devices known
from neuromorph import Reference

REFERENCE = {"target": Reference()}


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    """Brian 2 as it was before."""
    b2.prefs["codegen.target"] = "numpy"
    yield
    b2.set_device("runtime")
    previous_devices.clear()
    reinit_devices()
    b2.defaultclock.dt = 0.1 * b2.ms


def on(device: str, script: Callable[[], Any], **options: Any) -> Any:
    """What a script makes and runs on a device."""
    b2.start_scope()
    b2.set_device(device, **options)
    b2.defaultclock.dt = 0.1 * b2.ms
    b2.seed(5)
    return script()


def both(script: Callable[[], Any]) -> tuple[Any, Any]:
    """The same script in Brian 2 and on the device."""
    return on("runtime", script), on("neuromorph", script, **REFERENCE)


@dataclass(frozen=True)
class Counting:
    """A target that counts what it compiles."""

    inner: Any = REFERENCE["target"]
    compiled: list[str] = field(default_factory=list)

    def compile(self, network: Any, dt: Any) -> Any:
        """Compile, and note it."""
        self.compiled.append(network.name)
        return self.inner.compile(network, dt)

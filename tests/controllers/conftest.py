"""Which of these tests run in simulated time: those whose module uses the bench."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import pytest

from tests.controllers import bench
from wherry.kit.simulated_loop import SimulatedLoop

REAL: Mapping[str, Callable[[], asyncio.AbstractEventLoop]] = {"real": asyncio.new_event_loop}
SIMULATED: Mapping[str, Callable[[], asyncio.AbstractEventLoop]] = {"simulated": SimulatedLoop}


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Function
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop of a test, which is the only one of its mapping."""
    return SIMULATED if getattr(item.module, "running", None) is bench.running else REAL

"""Fixtures of the API server's component tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.apiserver.rig import Rig, running
from tests.hurried_clock import HurriedClock


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    """A running API server over an empty memory store."""
    async with running() as made:
        yield made


@pytest.fixture
async def hurried_rig() -> AsyncIterator[Rig]:
    """The same, for a test that waits until the server's patience is over."""
    async with running(HurriedClock()) as made:
        yield made

"""Fixtures of the API server's component tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.apiserver.rig import Rig, running


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    """A running API server over an empty memory store."""
    async with running() as made:
        yield made

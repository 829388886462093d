"""Fixtures: an API server, and one that serves CronTabs."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.apiserver.customresources.established import define
from tests.apiserver.customresources.samples import definition
from tests.apiserver.rig import Rig, running


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    """A running API server over an empty memory store."""
    async with running() as made:
        yield made


@pytest.fixture
async def crons(rig: Rig) -> Rig:
    """An API server with the CronTab definition established."""
    await define(rig, definition())
    return rig

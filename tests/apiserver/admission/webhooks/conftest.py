"""A server with a webhook server behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.apiserver.admission.webhooks.hooks import Hooks, hooks
from tests.apiserver.rig import Rig


@pytest.fixture
async def hook(rig: Rig) -> AsyncIterator[Hooks]:
    """The webhook server."""
    async with hooks(rig) as made:
        yield made

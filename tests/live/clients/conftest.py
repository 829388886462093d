"""The compatibility page, for the tests that compare what they find with it."""

from __future__ import annotations

import pytest

from tests.live.clients.page import Page


@pytest.fixture
def page(request: pytest.FixtureRequest) -> Page:
    """docs/compatibility.md, rewritten under `--update-golden`."""
    return Page(update=bool(request.config.getoption("--update-golden")))

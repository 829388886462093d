"""Simulated nodes for tests that run a scenario very often and are not about nodes."""

from __future__ import annotations

from dataclasses import replace

from wherry.testing.settings import NODES

QUIET = replace(NODES, lease_s=86400, status_s=0)
"""They say so seldom that they are well that nearly no call of a run is theirs."""

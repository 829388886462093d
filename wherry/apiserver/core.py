"""What every verb shares: `Core`, one bundle of the server's parts.

A verb is a function of the core, a call and the resource it is about.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from wherry.apiserver.admission.base import AdmissionChain
from wherry.apiserver.aggregation.aggregator import Aggregator
from wherry.apiserver.call import Call, Result
from wherry.apiserver.parts import Parts

Interceptor = Callable[[Call, Callable[[], Result]], Result]
"""Answers a permitted call; the second argument goes on to its verb."""


@dataclass(slots=True, kw_only=True)
class Core(Parts):
    """All parts of one API server."""

    admission: AdmissionChain
    aggregator: Aggregator
    interceptor: Interceptor | None = None
    """Asked instead of the verbs, if there is one: a test that wants the server to fail."""

"""What every verb shares: `Core`, one bundle of the server's parts.

A verb is a function of the core, a call and the resource it is about.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from wherry.apiserver.admission.base import AdmissionChain
from wherry.apiserver.aggregation.aggregator import Aggregator
from wherry.apiserver.call import Call, Result, WatchOutcome
from wherry.apiserver.parts import Parts
from wherry.objects.meta import Object

Interceptor = Callable[[Call, Callable[[], Result]], Result]
"""Answers a permitted call; the second argument goes on to its verb."""
WatchTap = Callable[[Call, WatchOutcome], WatchOutcome]
"""The watch that a client is to have in place of the one its call asked for."""


class Explains(Protocol):
    """A scheduler that tells why pods are where they are (`wherry.dev/v1alpha1`, PodDecisionStatus)."""

    async def decision(self, pod: Object) -> Object:
        """The status of the decision about a pod that is there. Raises ApiError."""
        ...

    async def what_if(self, pod: Object) -> Object:
        """The status of the decision about a pod as it would be made now. Raises ApiError."""
        ...


@dataclass(slots=True, kw_only=True)
class Core(Parts):
    """All parts of one API server."""

    admission: AdmissionChain
    aggregator: Aggregator
    explains: Explains | None = None
    """The scheduler of this process, if one runs here."""
    interceptor: Interceptor | None = None
    """Asked instead of the verbs, if there is one: a test that wants the server to fail."""
    watch_tap: WatchTap | None = None
    """Makes another watch of each that is to begin, if there is one: a test that wants to get at it later."""

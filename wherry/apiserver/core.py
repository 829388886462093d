"""What every verb shares: `Core`, one bundle of the server's parts.

A verb is a function of the core, a call and the resource it is about.
"""

from __future__ import annotations

from dataclasses import dataclass

from wherry.apiserver.admission.base import AdmissionChain
from wherry.apiserver.aggregation.aggregator import Aggregator
from wherry.apiserver.parts import Parts


@dataclass(slots=True, kw_only=True)
class Core(Parts):
    """All parts of one API server."""

    admission: AdmissionChain
    aggregator: Aggregator

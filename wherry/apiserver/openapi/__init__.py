"""OpenAPI: what kubectl explain, validation and client generators read.

`operations` says neutrally what can be called, `schemas` what objects look like, `documents` renders both
as v2 and v3, `protobuf` gives v2 the binary form kubectl prefers. Nothing is built before it is asked
for, and then once: when the served resources change, make a new `OpenAPI`.
"""

from __future__ import annotations

from wherry.apiserver.openapi.service import OpenAPI

__all__ = ["OpenAPI"]

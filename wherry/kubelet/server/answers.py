"""The forms of a kubelet's answers, in the words of upstream's router (go-restful), and its refusals."""

from __future__ import annotations

import json
from collections.abc import Sequence

from wherry.kit.httpd.message import Response

TEXT = "text/plain; charset=utf-8"
METRICS = "text/plain; version=0.0.4; charset=utf-8"
NOT_THERE = "404: Page Not Found"


class NotServed(Exception):
    """The request cannot be served; `status` is the HTTP status that says so."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def text(message: str, status: int = 200) -> Response:
    """A plain-text answer."""
    return Response(message.encode(), status, TEXT)


def json_of(document: object) -> Response:
    """A document in JSON."""
    return Response(json.dumps(document, ensure_ascii=False).encode())


def not_by_that_method(methods: Sequence[str]) -> Response:
    """The page is there, but only for `methods`."""
    return Response(b"405: Method Not Allowed", 405, TEXT, (("Allow", ", ".join(methods)),))

"""The pages CoreDNS has beside its names: /health, /ready and /metrics (health, ready, prometheus)."""

from __future__ import annotations

from wherry.dns.dns import ClusterDns
from wherry.kit.httpd.message import Answer, Request, Response
from wherry.kit.metrics import render

TEXT = "text/plain; charset=utf-8"


class Pages:
    """Answers about one DNS."""

    def __init__(self, dns: ClusterDns) -> None:
        self._dns = dns

    async def answer(self, request: Request) -> Answer:
        """The page asked for; 404 for others."""
        match request.path:
            case "/metrics":
                return _text(render(self._dns.metrics()))
            case "/health":
                return _text("OK")
            case "/ready":
                return _text("OK") if self._dns.is_ready else _text("kubernetes", 503)
            case _:
                return _text("404 page not found\n", 404)


def _text(text: str, status: int = 200) -> Response:
    return Response(text.encode(), status, TEXT)

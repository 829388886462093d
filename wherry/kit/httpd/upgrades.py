"""What a request wants its connection to become; whoever speaks it is loaded once one asks."""

from __future__ import annotations

from wherry.kit.httpd.message import Request


def is_websocket(request: Request) -> bool:
    """Whether the request asks to speak WebSocket."""
    upgrades = request.headers.get("upgrade", "").lower().split(",")
    return "websocket" in [upgrade.strip() for upgrade in upgrades]

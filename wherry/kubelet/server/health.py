"""`/healthz` and its checks, in the words of upstream's apiserver/pkg/server/healthz; results are counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import parse_qs

from wherry.kit.httpd.message import Request, Response
from wherry.kubelet.server.answers import NOT_THERE, NotServed, text

Check = Callable[[], Awaitable[str]]
"""Gives "" when all is well, else what is wrong."""


async def _fine() -> str:
    return ""


class Health:
    """Named checks beside `ping` and `log`.

    `results` are how each ended last, `counts` how often which way.
    """

    def __init__(self, checks: Mapping[str, Check]) -> None:
        self._checks: dict[str, Check] = {"ping": _fine, "log": _fine, **checks}
        self.results: dict[str, bool] = {}
        self.counts: Counter[tuple[str, bool]] = Counter()

    async def page(self, request: Request) -> Response:
        """`/healthz[/CHECK][?verbose][&exclude=CHECK]`. Raises NotServed."""
        rest = request.path.removeprefix("/healthz").strip("/")
        query = parse_qs(request.query, keep_blank_values=True)
        if rest:
            if rest not in self._checks:
                raise NotServed(NOT_THERE, 404)
            error = await self._look(rest)
            return text(f"internal server error: {error}\n", 500) if error else text("ok")
        excluded = set(query.get("exclude", ()))
        lines, failed = [], False
        for name in self._checks:
            if name in excluded:
                lines.append(f"[+]{name} excluded: ok\n")
            elif await self._look(name):
                failed = True
                lines.append(f"[-]{name} failed: reason withheld\n")
            else:
                lines.append(f"[+]{name} ok\n")
        if unknown := sorted(excluded - self._checks.keys()):
            names = ", ".join(f'"{name}"' for name in unknown)
            lines.append(f"warn: some health checks cannot be excluded: no matches for {names}\n")
        if failed:
            return text("".join([*lines, "healthz check failed\n"]), 500)
        return text("".join([*lines, "healthz check passed\n"]) if "verbose" in query else "ok")

    async def _look(self, name: str) -> str:
        error = await self._checks[name]()
        self.results[name] = not error
        self.counts[name, not error] += 1
        return error

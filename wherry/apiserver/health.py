"""`/livez`, `/readyz`, `/healthz`: is the server well, all in all or check by check."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from wherry.apiserver.call import Call, Outcome
from wherry.objects.errors import path_not_found

PREFIXES = ("/livez", "/readyz", "/healthz")
TEXT = "text/plain; charset=utf-8"
Check = Callable[[], str]
"""Returns "" when all is well, else what is wrong."""


class Health:
    """Named checks; those of `ready_only` count for /readyz alone."""

    def __init__(self, checks: Mapping[str, Check], ready_only: Mapping[str, Check]) -> None:
        self._checks = {"ping": lambda: "", "log": lambda: "", **checks}
        self._ready_only = dict(ready_only)

    def is_check(self, path: str) -> bool:
        """Whether the path is one of the health paths."""
        return path.startswith(PREFIXES) and "/" + path.split("/")[1] in PREFIXES

    def paths(self) -> list[str]:
        """Every path there is."""
        return [
            path
            for prefix in PREFIXES
            for path in (prefix, *(f"{prefix}/{name}" for name in self._checks_of(prefix)))
        ]

    def _checks_of(self, prefix: str) -> dict[str, Check]:
        return {**self._checks, **self._ready_only} if prefix == "/readyz" else self._checks

    def answer(self, call: Call) -> Outcome:
        """200 "ok" or 500 with what failed; every check listed when `verbose` is asked for."""
        _, prefix, *rest = call.info.path.rstrip("/").split("/")
        checks = self._checks_of(f"/{prefix}")
        if rest:
            if len(rest) != 1 or rest[0] not in checks:
                raise path_not_found()
            checks = {rest[0]: checks[rest[0]]}
        excluded = set(call.query.get("exclude", "").split(","))
        lines, failed = [], []
        for name, check in checks.items():
            if name in excluded:
                lines.append(f"[+]{name} excluded: ok")
                continue
            problem = check()
            if problem:
                failed.append(name)
                lines.append(f"[-]{name} failed: reason withheld")
            else:
                lines.append(f"[+]{name} ok")
        if failed:
            text = "\n".join([*lines, f"{prefix} check failed", ""])
            return Outcome(data=text.encode(), status=500, content_type=TEXT)
        if "verbose" in call.query and not rest:
            return Outcome(data="\n".join([*lines, f"{prefix} check passed", ""]).encode(), content_type=TEXT)
        return Outcome(data=b"ok", content_type=TEXT)

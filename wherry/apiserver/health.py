"""`/livez`, `/readyz`, `/healthz`: is the server well, all in all or check by check."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl

from wherry.apiserver.call import Call, Outcome
from wherry.objects.errors import path_not_found

PREFIXES = ("/livez", "/readyz", "/healthz")
NO_SNIFFING = (("X-Content-Type-Options", "nosniff"),)
TEXT = "text/plain; charset=utf-8"
Check = Callable[[], str]
"""Returns "" when all is well, else what is wrong."""


class Health:
    """Named checks; those of `ready_only` count for /readyz alone.

    What `warning` says fails nothing: it stands in verbose answers, as upstream's warnings do.
    """

    def __init__(
        self,
        checks: Mapping[str, Check],
        ready_only: Mapping[str, Check],
        warning: Check = lambda: "",
    ) -> None:
        self._checks = {"ping": lambda: "", "log": lambda: "", **checks}
        self._ready_only = dict(ready_only)
        self._warning = warning

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
            check = checks.get("/".join(rest))
            if check is None:
                raise path_not_found()
            return _single(check())
        excluded = excluded_checks(call)
        lines, failed = [], False
        for name, check in checks.items():
            if name in excluded:
                excluded.pop(name)
                lines.append(f"[+]{name} excluded: ok")
            elif check():
                failed = True
                lines.append(f"[-]{name} failed: reason withheld")
            else:
                lines.append(f"[+]{name} ok")
        if excluded:
            names = ",".join(f'"{name}"' for name in excluded)
            lines.append(f"warn: some health checks cannot be excluded: no matches for {names}")
        if warning := self._warning():
            lines.append(f"warn: {warning}")
        if failed:
            return _text("\n".join([*lines, f"{prefix} check failed", ""]), 500)
        if "verbose" not in call.query:
            return _text("ok")
        return _text("\n".join([*lines, f"{prefix} check passed", ""]))


def excluded_checks(call: Call) -> dict[str, None]:
    """The checks the client wants to leave out; the parameter may be repeated."""
    if call.request is None:
        return dict.fromkeys([call.query["exclude"]] if call.query.get("exclude") else ())
    asked = parse_qsl(call.request.query, keep_blank_values=True)
    return dict.fromkeys(value for name, value in asked if name == "exclude" and value)


def _single(problem: str) -> Outcome:
    return _text(f"internal server error: {problem}\n", 500) if problem else _text("ok")


def _text(text: str, status: int = 200) -> Outcome:
    return Outcome(data=text.encode(), status=status, content_type=TEXT, headers=NO_SNIFFING)

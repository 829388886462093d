"""What can be asked of `authorizer`. Who decides is given with each evaluation, see Expression.evaluate."""

from __future__ import annotations

from wherry.objects.cel.cost import size
from wherry.objects.cel.declarations import declare

_CHECK_COST = 350_000  # two checks in one expression at most
_REQUIREMENT_COST = 25  # of each two characters of a selector

declare("path", "authorizer.(string) -> pathCheck", None)
declare("group", "authorizer.(string) -> groupCheck", None)
declare("serviceAccount", "authorizer.(string, string) -> authorizer", None)
declare("resource", "groupCheck.(string) -> resourceCheck", None)
for _name in ("subresource", "namespace", "name"):
    declare(_name, "resourceCheck.(string) -> resourceCheck", None)
for _name in ("fieldSelector", "labelSelector"):
    declare(
        _name,
        "resourceCheck.(string) -> resourceCheck",
        None,
        lambda arguments: 10 + size(arguments[1]) * _REQUIREMENT_COST,
    )
for _type in ("pathCheck", "resourceCheck"):
    declare("check", f"{_type}.(string) -> decision", None, lambda _arguments: _CHECK_COST)
declare("allowed", "decision.() -> bool", None)
declare("errored", "decision.() -> bool", None)
declare("error", "decision.() -> string", None)
declare("reason", "decision.() -> string", None)

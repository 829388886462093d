"""`certificatesigningrequests/approval`: somebody decides on a request.

Only the conditions Approved and Denied can be written here; who may write them is also a matter of
the signer, which is for admission to check.
"""

from __future__ import annotations

from wherry.api.certificates.signing import APPROVED, DENIED, kept_errors, status_errors
from wherry.apiserver.call import Call, Outcome
from wherry.apiserver.core import Core
from wherry.apiserver.registry import Served
from wherry.apiserver.verbs.get import get
from wherry.apiserver.verbs.patch import patch_with
from wherry.apiserver.verbs.update import replace
from wherry.apiserver.verbs.write import Rules
from wherry.objects.errors import FieldError
from wherry.objects.meta import Object

DECISIONS = (APPROVED, DENIED)


async def approval(core: Core, call: Call, served: Served) -> Outcome:
    """GET, PUT or PATCH of the decision. Raises ApiError."""
    if call.info.verb == "get":
        return get(core, call, served)
    rules = Rules(lambda new, old: _prepare(new, old, core.timestamp()), _validate)
    if call.info.verb == "update":
        return await replace(core, call, served, rules)
    return await patch_with(core, call, served, rules)


def _prepare(new: Object, old: Object, now: str) -> None:
    """Keep everything as stored but the decisions."""
    sent = (new.get("status") or {}).get("conditions") or []
    stored = (old.get("status") or {}).get("conditions") or []
    kept = [item for item in stored if item.get("type") not in DECISIONS]
    decisions = [_dated(item, stored, now) for item in sent if item.get("type") in DECISIONS]
    revision = new["metadata"].get("resourceVersion")
    managed = new["metadata"].get("managedFields")
    status = {**(old.get("status") or {}), "conditions": [*kept, *decisions]}
    if not status["conditions"]:
        del status["conditions"]
    new.clear()
    new.update({**old, "metadata": dict(old["metadata"])})
    if status:
        new["status"] = status
    if revision:
        new["metadata"]["resourceVersion"] = revision
    if managed is not None:
        new["metadata"]["managedFields"] = managed


def _dated(condition: Object, stored: list[Object], now: str) -> Object:
    dated = dict(condition)
    dated.setdefault("lastUpdateTime", now)
    if not dated.get("lastTransitionTime"):
        before = next((item for item in stored if item.get("type") == dated.get("type")), None)
        same = before is not None and before.get("status") == dated.get("status")
        dated["lastTransitionTime"] = before["lastTransitionTime"] if same and before else now
    return dated


def _validate(new: Object, old: Object) -> list[FieldError]:
    return status_errors(new, old) + kept_errors(new, old, may_decide=True)

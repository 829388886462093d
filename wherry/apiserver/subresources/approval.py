"""`certificatesigningrequests/approval`: somebody decides on a request.

Only conditions can be written here; who may write them is also a matter of the signer, which is for
admission to check. Rules: pkg/registry/certificates/certificates, csrApprovalStrategy.
"""

from __future__ import annotations

from wherry.api.certificates.signing import kept_errors, status_errors
from wherry.api.resource import restore
from wherry.apiserver.call import AnyOutcome, Call, settle
from wherry.apiserver.core import Core
from wherry.apiserver.registry import Served
from wherry.apiserver.verbs.get import get
from wherry.apiserver.verbs.patch import patch_with
from wherry.apiserver.verbs.update import replace
from wherry.apiserver.verbs.write import Rules
from wherry.objects.errors import FieldError
from wherry.objects.meta import Object

_RESETS = frozenset(("spec", "status.certificate"))


async def approval(core: Core, call: Call, served: Served) -> AnyOutcome:
    """GET, PUT or PATCH of the decision. Raises ApiError."""
    if call.info.verb == "get":
        return await settle(get(core, call, served))
    rules = Rules(_prepare, _validate, resets=_RESETS)
    if call.info.verb == "update":
        return await replace(core, call, served, rules)
    return await patch_with(core, call, served, rules)


def _prepare(new: Object, old: Object) -> None:
    """Keep what was asked for and the certificate as stored: only conditions change."""
    restore(new, old, "spec")
    conditions = (new.get("status") or {}).get("conditions")
    new["status"] = {name: value for name, value in (old.get("status") or {}).items() if name != "conditions"}
    if conditions:
        new["status"]["conditions"] = conditions


def _validate(new: Object, old: Object) -> list[FieldError]:
    return status_errors(new, old) + kept_errors(new, old, may_decide=True)

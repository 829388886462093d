"""Owner references that stand twice: dropped, and the client told, as upstream does before it stores."""

from __future__ import annotations

from wherry.objects.meta import Object, metadata
from wherry.objects.repeats import repeated

ADVICE = (
    "API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; "
    "please fix your requests; duplicate UID(s) observed: "
)


def drop_repeated_owners(obj: Object, warnings: list[str], *, after_admission: bool = False) -> None:
    """Leave one of each of the object's owner references, in place; adds to `warnings` if any go."""
    owners = metadata(obj).get("ownerReferences")
    if not owners or len(owners) < 2:
        return
    twice = dict(repeated(owners))
    if not twice:
        return
    obj["metadata"]["ownerReferences"] = [o for index, o in enumerate(owners) if index not in twice]
    uids = dict.fromkeys(str(owner.get("uid", "")) for owner in twice.values())
    when = " after mutating admission happens" if after_admission else ""
    warnings.append(f".metadata.ownerReferences contains duplicate entries{when}; {ADVICE}{', '.join(uids)}")

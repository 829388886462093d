"""The jobs that a CronJob's status says run (`Active`): found by uid, since anybody may have written many."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wherry.objects.meta import Object


class Active:
    """The references of `status.active`, in their order. To ask for one and to forget it takes the same time
    for any number of them.

    Several may be of one uid, or of none, and are forgotten together, as upstream's deleteFromActiveList does
    (pkg/controller/cronjob).
    """

    def __init__(self, status: Mapping[str, Any]) -> None:
        self._references: list[Object] = list(status.get("active") or ())
        self._uids = {_uid(reference) for reference in self._references}
        self._is_changed = False

    def __contains__(self, uid: str) -> bool:
        return uid in self._uids

    def listed(self) -> list[Object]:
        """The references that are not forgotten."""
        return [reference for reference in self._references if _uid(reference) in self._uids]

    def forget(self, uid: str) -> None:
        """Take out all that have this uid."""
        self._is_changed |= uid in self._uids
        self._uids.discard(uid)

    def add(self, reference: Object) -> None:
        """Put one more at the end."""
        self._references = [*self.listed(), reference]
        self._uids.add(_uid(reference))
        self._is_changed = True

    def write(self, status: Object) -> None:
        """Have the status say so; nothing is touched there if nothing changed."""
        if self._is_changed:
            status["active"] = self.listed()


def _uid(reference: Mapping[str, Any]) -> str:
    return reference.get("uid") or ""

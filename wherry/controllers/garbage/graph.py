"""Who owns whom: every object by uid, with its owners and dependents.

Built from metadata alone. An owner may be unknown (not seen yet, or gone): its dependents are kept
under its uid all the same, so that they are found when something is learnt of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from wherry.api.resource import Resource
from wherry.objects.meta import Object, is_deleting, metadata, name_of, namespace_of, owners_of, uid_of

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"
KEPT = (
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "ownerReferences",
    "finalizers",
    "deletionTimestamp",
)


def metadata_only(obj: Object) -> Object:
    """What the graph needs of an object."""
    meta = metadata(obj)
    return {"metadata": {name: meta[name] for name in KEPT if name in meta}}


def _is_only_newer(old: Object, new: Object) -> bool:
    """Whether nothing the graph goes by has changed, of an object that stays."""
    meta = metadata(new)
    return "deletionTimestamp" not in meta and meta == {
        **metadata(old),
        "resourceVersion": meta["resourceVersion"],
    }


def _may_matter(new: Object) -> bool:
    """Whether a new object may matter to any: it has owners, or is on its way out."""
    meta = metadata(new)
    return "ownerReferences" in meta or "deletionTimestamp" in meta


@dataclass(frozen=True, slots=True)
class Item:
    """One object, as the graph knows it."""

    resource: Resource
    obj: Object

    @property
    def uid(self) -> str:
        return uid_of(self.obj)

    @property
    def name(self) -> str:
        return name_of(self.obj)

    @property
    def namespace(self) -> str:
        return namespace_of(self.obj)

    @property
    def owners(self) -> list[dict[str, Any]]:
        return owners_of(self.obj)

    def waits(self, finalizer: str) -> bool:
        """Whether the object is being deleted and `finalizer` holds it."""
        return is_deleting(self.obj) and finalizer in (metadata(self.obj).get("finalizers") or ())

    def is_blocked_by(self, dependent: Item) -> bool:
        """Whether `dependent` must go before this owner, deleted in the foreground, may."""
        return any(o.get("uid") == self.uid and o.get("blockOwnerDeletion") for o in dependent.owners)


class Graph:
    """All objects and their ownership."""

    def __init__(self) -> None:
        self._items: dict[str, Item] = {}
        self._dependents: dict[str, set[str]] = {}

    def __len__(self) -> int:
        return len(self._items)

    def get(self, uid: str) -> Item | None:
        """The object of that uid, if it is known to exist."""
        return self._items.get(uid)

    def dependents(self, uid: str) -> list[Item]:
        """The objects that name `uid` as an owner."""
        return [self._items[child] for child in sorted(self._dependents.get(uid, ()))]

    def change(self, resource: Resource, old: Object | None, new: Object | None) -> set[str]:
        """Take in one event; the uids of the objects it may matter to."""
        if new is None:
            return self._remove(uid_of(old or {}))
        item = Item(resource, new)
        if old is not None and _is_only_newer(old, new) and item.uid in self._items:
            self._items[item.uid] = item
            return set()
        if item.uid not in self._items and not _may_matter(new):
            self._items[item.uid] = item
            return set()
        return self._put(item)

    def forget(self, resource: Resource) -> None:
        """Drop every object of a resource that is served no more."""
        for uid in [uid for uid, item in self._items.items() if item.resource is resource]:
            self._remove(uid)

    def _put(self, item: Item) -> set[str]:
        before = self._items.get(item.uid)
        old_owners = {ref["uid"] for ref in before.owners} if before is not None else set()
        new_owners = {ref["uid"] for ref in item.owners}
        self._items[item.uid] = item
        for uid in old_owners - new_owners:
            self._unlink(uid, item.uid)
        for uid in new_owners:
            self._dependents.setdefault(uid, set()).add(item.uid)
        touched: set[str] = set()
        has_new_owners = bool(new_owners) and (before is None or new_owners != old_owners)
        if item.waits(FOREGROUND) or item.waits(ORPHAN) or (has_new_owners and self.is_in_doubt(item)):
            touched.add(item.uid)
        if item.waits(FOREGROUND) and (before is None or not before.waits(FOREGROUND)):
            touched.update(self._dependents.get(item.uid, ()))
        if before is not None and before.owners != item.owners:
            touched |= self._waiting(old_owners | new_owners)
        return touched

    def is_in_doubt(self, item: Item) -> bool:
        """Whether some owner is unknown, in another namespace, or on its way out."""
        for ref in item.owners:
            owner = self._items.get(ref["uid"])
            if owner is None or owner.waits(FOREGROUND) or owner.namespace not in ("", item.namespace):
                return True
        return False

    def _remove(self, uid: str) -> set[str]:
        item = self._items.pop(uid, None)
        if item is None:
            return set()
        owners = {ref["uid"] for ref in item.owners}
        for owner in owners:
            self._unlink(owner, uid)
        return self._waiting(owners) | set(self._dependents.get(uid, ()))

    def _waiting(self, uids: set[str]) -> set[str]:
        """Those of the owners that wait for their dependents."""
        found = ((uid, self._items.get(uid)) for uid in uids)
        return {uid for uid, item in found if item is not None and item.waits(FOREGROUND)}

    def _unlink(self, owner: str, dependent: str) -> None:
        children = self._dependents.get(owner)
        if children is not None:
            children.discard(dependent)
            if not children:
                del self._dependents[owner]

"""RBAC: permissions from the roles and bindings in the cachers.

Decisions are remembered until any role or binding changes. The index from subjects to grants is made once and
then follows each binding that changes: a write costs the same however many bindings there are. Nothing here
awaits: an authorized request costs a dict lookup.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from wherry.api.rbac.cluster_role_bindings import CLUSTER_ROLE_BINDINGS
from wherry.api.rbac.cluster_roles import CLUSTER_ROLES
from wherry.api.rbac.role_bindings import ROLE_BINDINGS
from wherry.api.rbac.roles import ROLES
from wherry.apiserver.authorization.base import ALLOWED, DENIED, Decision
from wherry.apiserver.authorization.grants import Grant, Grants
from wherry.apiserver.authorization.rules import Rules
from wherry.apiserver.cacher import Cached, CachedEvent
from wherry.apiserver.registry import Registry
from wherry.apiserver.request import RequestInfo
from wherry.apiserver.user import User
from wherry.kit.remembered import Recent
from wherry.objects.meta import Object
from wherry.objects.selectors import ByLabels, from_label_selector
from wherry.store.base import Subscription

ALL_ROLES, BINDINGS = (ROLES, CLUSTER_ROLES), (ROLE_BINDINGS, CLUSTER_ROLE_BINDINGS)
RBAC_RESOURCES = (*ALL_ROLES, *BINDINGS)
REMEMBERED_BYTES = 16 * 1024 * 1024
"""What the decisions that are remembered may take: some 20,000 of them."""
LONGEST_REMEMBERED = 1024
"""Characters of what is asked about."""
LARGEST_REMEMBERED = 32 * 1024
"""Bytes of who asks. Somebody in hundreds of groups has less."""
ENTRY_BYTES, TEXT_BYTES = 400, 60
"""What an entry, and each text of it, takes beside its characters."""


def size_of(user: User, info: RequestInfo) -> int:
    """About how many bytes a decision takes; 0 if it is not worth them, as it may be written to fill memory.

    A review itself says who it is about, in as many groups as it likes.
    """
    texts = len(info.name) + len(info.namespace) + len(info.resource) + len(info.subresource) + len(info.tail)
    texts += len(info.path) + len(info.group) + len(info.version) + len(info.verb) + len(info.of_node)
    who = len(user.name) + sum(map(len, user.groups)) + TEXT_BYTES * len(user.groups)
    is_worth = not user.is_anonymous and texts <= LONGEST_REMEMBERED and who <= LARGEST_REMEMBERED
    return ENTRY_BYTES + texts + who if is_worth else 0


class RbacAuthorizer:
    """Decides by (Cluster)Roles and their bindings, whose sources must be ready."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._decisions: Recent[tuple[object, ...], Decision] = Recent(REMEMBERED_BYTES)
        self._grants = Grants()
        self._is_indexed = False
        self._rules: dict[tuple[str, str, str], Rules] = {}
        self._gathered: set[tuple[str, str, str]] = set()  # those of them that rest on other roles, too
        self._subscriptions: list[Subscription] = []

    def start(self) -> None:
        """Follow changes of roles and bindings."""
        self._subscriptions = [
            *(self._registry.follow(resource, self._roles_changed, self._forget) for resource in ALL_ROLES),
            *(self._registry.follow(resource, self._bindings_changed, self._forget) for resource in BINDINGS),
        ]

    def close(self) -> None:
        """Stop following."""
        for subscription in self._subscriptions:
            subscription.close()

    def _roles_changed(self, events: Sequence[CachedEvent]) -> None:
        """Read anew what changed, and what is gathered from others; all else stays as it was read."""
        self._decisions.clear()
        for event in events:
            item = event.object
            kind = "Role" if item.namespace else "ClusterRole"
            self._rules.pop((item.namespace, kind, item.name), None)
        for key in self._gathered:
            self._rules.pop(key, None)
        self._gathered.clear()

    def _bindings_changed(self, events: Sequence[CachedEvent]) -> None:
        self._decisions.clear()
        if self._is_indexed:
            self._grants.follow(events)

    def _forget(self) -> None:
        self._decisions.clear()
        self._rules.clear()
        self._gathered.clear()
        self._is_indexed = False

    def decide(self, user: User, info: RequestInfo) -> Decision:
        """See `SubAuthorizer.decide`."""
        if info.name and self._of_any_name(user, info):
            return ALLOWED
        key = (user.name, user.groups, info)
        known = self._decisions.get(key)
        if known is None:
            known = self._evaluate(user, info)
            self._remember(user, info, key, known)
        return known

    def _of_any_name(self, user: User, info: RequestInfo) -> bool:
        """Whether the user may do it to any object, whatever its name: found out once for all names."""
        what = (info.verb, info.group, info.resource, info.subresource, info.namespace)
        key = (user.name, user.groups, what)
        known = self._decisions.get(key)
        if known is None:
            if not size_of(user, info):
                return False
            known = self._evaluate(user, info, of_any_name=True)
            self._remember(user, info, key, known)
        return known.allowed

    def _remember(self, user: User, info: RequestInfo, key: tuple[object, ...], decision: Decision) -> None:
        if size := size_of(user, info):
            self._decisions.put(key, decision, size)

    def _evaluate(self, user: User, info: RequestInfo, *, of_any_name: bool = False) -> Decision:
        broken = ""
        for grant in self._grants_of(user, info.namespace):
            rules = self._rules_of(grant)
            if rules is None:
                broken = f'clusterrole.rbac.authorization.k8s.io "{grant[2]}" not found'
                continue
            if rules.allow(info, of_any_name=of_any_name):
                return ALLOWED
        return Decision(False, f"RBAC: {broken}") if broken else DENIED

    def untold_for(self, user: User) -> str:
        """See `SubAuthorizer.untold_for`."""
        return ""

    def rules_for(self, user: User, namespace: str) -> Iterator[Sequence[Object]]:
        """See `SubAuthorizer.rules_for`. Bindings may change while it is gone through."""
        for grant in dict.fromkeys(self._grants_of(user, namespace)):
            rules = self._rules_of(grant)
            if rules is not None:
                yield rules.every

    def rules_of_role(self, kind: str, namespace: str, name: str) -> Sequence[Object] | None:
        """The rules of a Role or ClusterRole, None if there is no such role."""
        found = self._rules_of(Grant(namespace, kind, name))
        return None if found is None else found.every

    def _grants_of(self, user: User, namespace: str) -> Iterator[Grant]:
        if not self._is_indexed:
            self._grants.clear()
            for resource in BINDINGS:
                self._registry.of(resource).each(self._grants.enter)
            self._is_indexed = True
        return self._grants.of(user, namespace)

    def _rules_of(self, grant: Grant) -> Rules | None:
        namespace, kind, name = grant
        key = ("" if kind == "ClusterRole" else namespace, kind, name)
        known = self._rules.get(key)
        if known is None:
            known = self._read_rules(*key)
            if known is not None:
                self._rules[key] = known
        return known

    def _read_rules(self, namespace: str, kind: str, name: str) -> Rules | None:
        served = self._registry.of(CLUSTER_ROLES if kind == "ClusterRole" else ROLES)
        cached = served.get(namespace, name)
        if cached is None:
            return None
        role = cached.decode()
        rules: list[Object] = list(role.get("rules") or ())
        selectors = (role.get("aggregationRule") or {}).get("clusterRoleSelectors") or ()
        if selectors:
            self._gathered.add((namespace, kind, name))
            labelled: list[tuple[Mapping[str, str], Cached]] = []
            served.each(lambda other: labelled.append((other.labels, other)))
            others = ByLabels(labelled)
            chosen = {
                other.name: other
                for selector in map(from_label_selector, selectors)
                for other in others.chosen(selector)
                if other.name != name
            }
            for other in chosen.values():
                found = other.decode().get("rules")
                rules.extend(found if isinstance(found, list) else ())
        return Rules(rules)

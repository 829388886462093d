"""The one declaration of a kind: `Resource`, and the hooks that make it more than generic: `Strategy`.

A resource without a strategy of its own is served generically: stored, listed, watched, patched,
with the schema's field checks. A strategy adds what only this kind knows. Its hooks are pure: they
may change the object they are handed (always a private copy) and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from wherry.objects.errors import FieldError, bad_request
from wherry.objects.meta import Object, metadata, namespace_of
from wherry.objects.names import path_segment_errors

if TYPE_CHECKING:
    from wherry.api.apiextensions.custom_kind import CustomKind

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the server-side Table (metav1.TableColumnDefinition).

    `priority` 0 always shows, 1 only with `-o wide`. `format` is "name" for the name column.
    """

    name: str
    type: str = "string"
    format: str = ""
    description: str = ""
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Subresource:
    """A path below the object: `status`, `scale`, `log` ...

    `group`, `version`, `kind` name the body it takes; empty means the parent's own.
    """

    name: str
    verbs: tuple[str, ...] = ("get", "patch", "update")
    group: str = ""
    version: str = ""
    kind: str = ""


COMPILES = 16
"""The `weight_factor` of kinds that hold expressions: compiling takes some 20 microseconds per character."""


class Strategy:
    """What only this kind knows; every hook is optional and by default does nothing.

    `new` is the object about to be stored, private to the request; `old` is the stored one (None on
    create), shared and never to be changed. The order on a write: decode, `default`, (patch and
    default again), `prepare` or `prepare_status`, admission, `validate` or `validate_status`.
    """

    generates_names = True
    """Whether metadata.generateName is honoured."""
    weight_factor = 1
    """How many times longer than others' a byte of such an object takes to judge (`COMPILES`)."""
    row_factor = 1
    """How many times longer than others' a byte of such an object takes to be shown in a Table."""
    creates_on_update = False
    """Whether PUT of a missing object creates it (upstream's AllowCreateOnUpdate)."""
    unconditional_update = True
    """Whether an update without resourceVersion is taken (upstream's AllowUnconditionalUpdate)."""
    orphans_by_default = False
    """Whether a deletion that does not say what becomes of dependents leaves them.

    Kinds older than the garbage collector do (upstream's DefaultGarbageCollectionPolicy).
    """
    status_resets: tuple[str, ...] = ("spec",)
    """Fields a write of status leaves as they are stored, and nobody comes to own by it (GetResetFields).

    Paths such as `spec` or `metadata.labels`; `metadata` means all of it a client may set.
    """

    def default(self, obj: Object) -> None:
        """Fill what the user left out, as upstream's defaulting functions do."""

    def prepare(self, new: Object, old: Object | None) -> None:
        """Drop what a user may not set here (status on the main resource), bump the generation."""
        status = old.get("status") if old is not None else None
        if status is None:
            new.pop("status", None)
        else:
            new["status"] = status

    def prepare_status(self, new: Object, old: Object) -> None:
        """Put back what a write of status may not change (upstream's status strategy, PrepareForUpdate)."""
        for path in self.status_resets:
            restore(new, old, path)

    def stamp(self, new: Object, old: Object | None, now: str) -> None:
        """Set the times the server keeps, after `prepare` and `prepare_status`; `now` is in wire format."""

    def validate(self, new: Object, old: Object | None) -> list[FieldError]:
        """What is wrong with `new` (on update: also which immutable fields changed)."""
        return []

    def validate_status(self, new: Object, old: Object) -> list[FieldError]:
        """What is wrong with the status written through the status subresource."""
        return []

    def warnings(self, new: Object, old: Object | None) -> list[str]:
        """Texts for `Warning:` headers."""
        return []

    def grace_period_s(self, obj: Object, asked: int | None) -> int:
        """Seconds a deleted object lingers with a deletionTimestamp; 0 deletes at once.

        `asked` is DeleteOptions.gracePeriodSeconds, None when not given.
        """
        return 0

    def prepare_deletion(self, obj: Object, now: str) -> None:
        """Change `obj` as its deletion is first asked for, at the time `now` (wire format)."""

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        """The Table row, one cell per column of the resource."""
        meta = metadata(obj)
        return [meta.get("name", ""), meta.get("creationTimestamp", "")]


_RESET_METADATA = ("labels", "annotations", "finalizers", "ownerReferences")
"""What is put back of metadata (metav1.ResetObjectMetaForStatus); the rest is the server's anyway."""


def restore(new: Object, old: Object, path: str) -> None:
    """Give the field at `path` its old value, in place.

    `path` is as in `Strategy.status_resets`: `spec`, `metadata.labels`, `metadata` for all a client may set.
    """
    if path == "metadata":
        for name in _RESET_METADATA:
            restore(new, old, f"metadata.{name}")
        return
    parent, _, name = path.rpartition(".")
    source = (old.get(parent) or {}) if parent else old
    target = new.setdefault(parent, {}) if parent else new
    if name in source:
        target[name] = source[name]
    else:
        target.pop(name, None)


NAME_AND_AGE = (
    Column("Name", format="name", description="Name must be unique within a namespace."),
    Column("Created At", type="date", description="CreationTimestamp is the server time of creation."),
)


@dataclass(frozen=True, eq=False, kw_only=True)
class Resource:
    """One kind in one group version, as it is served.

    `schema` is the definition's name in the schema tables (`io.k8s.api.apps.v1.Deployment`), "" for
    kinds without one. `storage_key` is the prefix below `/registry/` where upstream keeps it.
    `storage_version` is the (group, version) objects are stored in; where another version is stored,
    `to_storage` makes the stored form of an object and `from_storage` the served form of a stored one
    (both return a new object, apiVersion included; without them only apiVersion differs).
    `selectable` maps the field selectors the kind takes beyond metadata.name and metadata.namespace to
    readers; objects are kept by the values of those in `indexed` (upstream's Indexers). `also_read` are
    fields nobody may select this version by: those of other versions of the kind, as built-in versions share
    one cache, which is that of the stored one; and those that only are indexed.
    Without `has_protobuf` upstream knows no message for the kind, and it is told in JSON alone.
    Objects of one that is not `is_stored` are made when they are read, or only answer a POST (`reviews`).
    `ttl_s` makes the store forget objects that long after their last write. `deprecation` is the
    warning every answer about the kind in this version carries, "" for none. `custom` is set for kinds
    defined at run time.
    """

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool
    singular: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    subresources: tuple[Subresource, ...] = ()
    strategy: Strategy = field(default_factory=Strategy)
    columns: tuple[Column, ...] = NAME_AND_AGE
    selectable: Mapping[str, Callable[[Object], str]] = field(default_factory=dict)
    also_read: Mapping[str, Callable[[Object], str]] = field(default_factory=dict)
    indexed: frozenset[str] = frozenset()
    schema: str = ""
    storage_key: str = ""
    storage_version: tuple[str, str] | None = None
    to_storage: Callable[[Object], Object] | None = None
    from_storage: Callable[[Object], Object] | None = None
    ttl_s: int | None = None
    is_stored: bool = True
    has_protobuf: bool = True
    deprecation: str = ""
    custom: CustomKind | None = None

    def __post_init__(self) -> None:
        if not self.singular:
            object.__setattr__(self, "singular", self.kind.lower())
        if not self.storage_key:
            object.__setattr__(self, "storage_key", self.plural)
        if self.storage_version is None:
            object.__setattr__(self, "storage_version", (self.group, self.version))

    @property
    def api_version(self) -> str:
        """`apps/v1`, or `v1` for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def list_kind(self) -> str:
        """`PodList` for `Pod`."""
        return f"{self.kind}List"

    @cached_property
    def has_status(self) -> bool:
        """Whether status is written through its own subresource."""
        return any(sub.name == "status" for sub in self.subresources)

    def is_version_of(self, other: Resource) -> bool:
        """Whether both are the same kind, in whatever version: they share what is stored."""
        return self.storage_key == other.storage_key

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The URL path of the collection, or of one object (or of something below it).

        For a namespaced resource an empty `namespace` means all namespaces (collections only). Raises
        ApiError (400) for a name that would lead elsewhere: names come from other people's objects.
        """
        for segment in (name, namespace):
            if problems := path_segment_errors(segment):
                raise bad_request(f'invalid resource name "{segment}": [{", ".join(problems)}]')
            if not segment.isprintable():
                raise bad_request(f"invalid resource name {segment!a}: may not contain control characters")
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        if self.namespaced and namespace:
            root = f"{root}/namespaces/{namespace}"
        parts = [root, self.plural, *([name] if name else []), *([subresource] if subresource else [])]
        return "/".join(parts)

    def prefix(self, namespace: str = "") -> str:
        """The store's key prefix of the whole collection, or of one namespace's part; ends in "/"."""
        base = f"/registry/{self.storage_key}/"
        return f"{base}{namespace}/" if self.namespaced and namespace else base

    def key(self, namespace: str, name: str) -> str:
        """The store's key of one object; `namespace` is ignored for cluster-wide kinds."""
        return self.prefix(namespace) + name

    def key_of(self, obj: Object) -> str:
        """The store's key of `obj`."""
        return self.key(namespace_of(obj), obj["metadata"]["name"])

    def subresource(self, name: str) -> Subresource | None:
        """The declared subresource of that name."""
        return next((sub for sub in self.subresources if sub.name == name), None)

    def __repr__(self) -> str:
        return f"<Resource {self.plural} {self.api_version}>"


def find_resource(resources: Sequence[Resource], api_version: str, kind: str) -> Resource | None:
    """The resource that serves `kind` of `api_version`, if any."""
    return next((r for r in resources if r.kind == kind and r.api_version == api_version), None)

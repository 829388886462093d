"""What create, update and patch share: the way of an object from the client's hands into the store.

Metadata that belongs to the server (uid, times, generation, managedFields) is kept here for every
kind; kinds add their rules through the strategy, admission plugins theirs through the chain. Writes
are compare-and-swap on the revision the decision was based on.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, TypeVar

import orjson

from wherry.api import schema
from wherry.api.core.pod_spec.disabled import drop_disabled_fields
from wherry.api.resource import Resource, Strategy
from wherry.apiserver import encoding, ownership
from wherry.apiserver.admission.base import CREATE, UPDATE, Attributes
from wherry.apiserver.allocation.reservations import Reservation
from wherry.apiserver.allocation.services import AddressTaken
from wherry.apiserver.beside import beside
from wherry.apiserver.body import findings_in
from wherry.apiserver.cacher import Cached
from wherry.apiserver.call import Call, Outcome
from wherry.apiserver.core import Core
from wherry.apiserver.owners import drop_repeated_owners
from wherry.apiserver.registry import Served
from wherry.apiserver.request import RequestInfo
from wherry.apiserver.rewrite import ATTEMPTS, remove, rewrite, swap
from wherry.kit.integers import parse_unsigned
from wherry.kit.tasks import to_the_end
from wherry.objects.errors import (
    ApiError,
    FieldError,
    TooLargeToStore,
    already_exists,
    bad_request,
    conflict,
    first_errors,
    invalid,
    invalid_value,
    service_unavailable,
)
from wherry.objects.managed_fields import STATUS, forget_new_times
from wherry.objects.meta import Object
from wherry.objects.sameness import is_identical
from wherry.objects.suffixes import LENGTH, random_suffix
from wherry.objects.uids import new_uid
from wherry.store.base import KeyExists
from wherry.store.writes import Write

T = TypeVar("T")

_NO_RESETS: frozenset[str] = frozenset()
GENERATED_NAME_ATTEMPTS = 8
MAX_GENERATED_BASE = 63 - LENGTH
UNORDERED_ATTEMPTS = 1000
"""How often a write starts over where writers take no turns: each time somebody else has succeeded."""


@dataclass(slots=True)  # made for each write, and frozen ones take three times as long to make
class Rules:
    """How an update through one path (main, status, resize ...) treats the object.

    `tracks_owners` tells whether managedFields are to be tracked (an apply has done it already). `lens` is
    set where clients, and with them admission, see the object as something else, such as a Scale. Nobody
    comes to own the fields in `resets` (upstream's GetResetFields).
    """

    prepare: Callable[[Object, Object], None]
    validate: Callable[[Object, Object], list[FieldError]]
    tracks_owners: bool = True
    lens: Lens | None = None
    resets: frozenset[str] = STATUS


@dataclass(frozen=True, slots=True)
class Lens:
    """An object seen as something else: `show` makes that of it, `take` writes it back into the object."""

    show: Callable[[Object], Object]
    take: Callable[[Object, Object], None]


def main_rules(resource: Resource) -> Rules:
    """An update of the object itself. Where status has no subresource it is a field like any other."""
    strategy = resource.strategy
    return Rules(strategy.prepare, strategy.validate, resets=main_resets(resource))


def main_resets(resource: Resource) -> frozenset[str]:
    """What nobody comes to own who writes the object itself."""
    return STATUS if resource.has_status else _NO_RESETS


def status_rules(strategy: Strategy) -> Rules:
    """An update through the status subresource."""
    resets = frozenset(strategy.status_resets)
    return Rules(strategy.prepare_status, strategy.validate_status, resets=resets)


async def create_object(
    core: Core, call: Call, served: Served, obj: Object, *, tracks_owners: bool = True
) -> Outcome:
    """Admit, validate and store a new object; 201 with it as stored. Raises ApiError."""
    if call.info.verb != "create":
        # Being let change what is there is no leave to bring in what is not.
        core.authorizer.check(call.user, call.info._replace(verb="create"))
    resource = served.resource
    strategy = resource.strategy
    set_namespace(call, resource, obj)
    meta = obj["metadata"]
    generates = not meta.get("name") and bool(meta.get("generateName")) and strategy.generates_names
    now = core.timestamp()
    _claim_metadata(core, meta, now)
    if generates:
        meta["name"] = generate_name(core, served, meta["generateName"], call.info.namespace)

    def prepare() -> None:
        drop_repeated_owners(obj, call.warnings)
        strategy.default(obj)
        if tracks_owners:
            ownership.track(core, call, resource, None, obj, main_resets(resource), now)
        _prepare_new(resource, obj, now)

    await beside(core, call, prepare)
    attributes = Attributes.of(core, call, served, CREATE, obj, None, name=meta.get("name") or "")
    attributes.has_generated_name = generates
    await core.admission.admit(attributes)  # what it adds has no owner, nor what the strategy fills in
    if attributes.is_changed:
        set_namespace(call, resource, obj)
        await beside(core, call, lambda: _prepare_new(resource, obj, now))
        generates = generates and obj["metadata"]["name"] == attributes.name
        attributes.name = obj["metadata"].get("name") or ""

    def judge() -> None:
        drop_repeated_owners(obj, call.warnings, after_admission=True)
        refuse_invalid(resource, obj, first_errors(lambda: strategy.validate(obj, None)))
        call.warnings.extend(strategy.warnings(obj, None))

    await beside(core, call, judge, call.weight * strategy.weight_factor)
    attributes.has_generated_name = False
    await core.admission.validate(attributes)
    storing = _create_reserved(core, call, served, attributes, obj, generates, is_applied=not tracks_owners)
    return await _carry_out(attributes, storing)


def _prepare_new(resource: Resource, obj: Object, now: str) -> None:
    drop_disabled_fields(resource.group, resource.kind, obj, None)
    resource.strategy.prepare(obj, None)
    resource.strategy.stamp(obj, None, now)


async def _carry_out(attributes: Attributes, storing: Coroutine[Any, Any, Outcome]) -> Outcome:
    """Store what was admitted. What was reserved for it is settled by how that went, not by who waits for it:

    a client may go away while its object is being written, and then the object is there all the same.
    """
    if attributes.settle is None and not attributes.core.services.concerns(attributes.resource):
        return await storing
    return await to_the_end(storing)


async def _create_reserved(
    core: Core,
    call: Call,
    served: Served,
    attributes: Attributes,
    obj: Object,
    generates: bool,
    *,
    is_applied: bool,
) -> Outcome:
    with attributes:
        asked = obj.get("spec") if core.services.concerns(served.resource) else None
        for _ in range(ATTEMPTS):
            if asked is not None:
                obj["spec"] = dict(asked)
            reservation = core.services.reserve(served.resource, obj, None, dry_run=call.is_dry_run)
            try:
                outcome = await _lighter_if_needed(
                    obj,
                    lambda taken=reservation: _store_new(core, call, served, obj, generates, taken),  # type: ignore[misc]
                    is_applied=is_applied,
                )
            except AddressTaken:
                reservation.undo()  # and another is taken; one that was asked for is refused then
            except BaseException:
                reservation.undo()
                raise
            else:
                reservation.commit()
                return outcome
        raise service_unavailable("others were always faster in taking a free cluster address")


async def _lighter_if_needed(
    obj: Object, store: Callable[[], Coroutine[Any, Any, T]], *, is_applied: bool
) -> T:
    """What `store` comes to; what is too large is tried again without managedFields, unless that is an apply.

    Source: endpoints/handlers/{create,update,patch}.go, isTooLargeError.
    """
    try:
        return await store()
    except TooLargeToStore:
        if is_applied or not obj["metadata"].pop("managedFields", None):
            raise
    return await store()


def is_set_version(text: str | None) -> bool:
    """Whether a resourceVersion says a version: "0" and what is no number (of Go's uint64) do not."""
    return text is not None and text != "" and bool(parse_unsigned(text.lstrip("0")))


def _claim_metadata(core: Core, meta: Object, now: str) -> None:
    """Set what the server sets on creation, whatever the client wrote there."""
    if is_set_version(meta.get("resourceVersion")):
        raise ApiError(500, "", "resourceVersion should not be set on objects to be created")
    for field in (
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "selfLink",
        "generation",
        "resourceVersion",
    ):
        meta.pop(field, None)
    meta["uid"] = new_uid(core.random)
    meta["creationTimestamp"] = now


async def _store_new(
    core: Core, call: Call, served: Served, obj: Object, generates: bool, reservation: Reservation
) -> Outcome:
    resource, meta = served.resource, obj["metadata"]
    namespace = call.info.namespace
    for _ in range(GENERATED_NAME_ATTEMPTS if generates else 1):
        key = resource.key(namespace, meta["name"])
        present = served.cacher.get(key)
        if present is None:
            if call.is_dry_run:
                return Outcome(obj=obj, status=201)
            try:
                data = await beside(core, call, lambda: encoding.encode_stored(served.to_storage(obj)))
                with core.storing("create", resource):
                    if reservation.has_addresses:
                        entry = await core.services.store(Write(key, data, None), obj, reservation)
                    else:
                        entry = await served.store.create(key, data, ttl_s=resource.ttl_s)
            except KeyExists:
                present = served.cacher.get(key)
            else:
                meta["resourceVersion"] = str(entry.revision)
                return Outcome(obj=obj, status=201)
        if generates:
            meta["name"] = generate_name(core, served, meta["generateName"], namespace)
    taken = already_exists(resource.plural, resource.group, meta["name"])
    message, details = taken.message, taken.details
    if generates:
        message += ", the server was not able to generate a unique name for the object"
        details = {**details, "retryAfterSeconds": 1}
    elif present is not None and present.is_deleting:
        message = f"object is being deleted: {message}"
    raise ApiError(taken.code, taken.reason, message, details)


def is_taken(error: ApiError, served: Served, info: RequestInfo) -> bool:
    """Whether a creation failed because somebody else had created the object first."""
    return error.reason == "AlreadyExists" and served.get(info.namespace, info.name) is not None


def is_gone(error: ApiError, served: Served, info: RequestInfo) -> bool:
    """Whether an update failed because somebody else had deleted the object first."""
    return error.reason == "NotFound" and served.get(info.namespace, info.name) is None


def generate_name(core: Core, served: Served, base: str, namespace: str) -> str:
    """`base` with a random suffix, one that is free if a few attempts find it."""
    name = ""
    for _ in range(GENERATED_NAME_ATTEMPTS):
        name = base[:MAX_GENERATED_BASE] + random_suffix(core.random)
        if served.get(namespace, name) is None:
            break
    return name


def set_namespace(call: Call, resource: Resource, obj: Object) -> None:
    """Give the object the namespace of the path. Raises ApiError (400) when it names another."""
    namespace = call.info.namespace if resource.namespaced else ""
    given = obj["metadata"].get("namespace") or ""
    if not resource.namespaced:
        obj["metadata"].pop("namespace", None)
        return
    if given and given != namespace:
        raise bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    if not namespace:
        raise bad_request("an empty namespace may not be set during creation")
    obj["metadata"]["namespace"] = namespace


def refuse_invalid(resource: Resource, obj: Object, errors: list[FieldError]) -> None:
    """Raise ApiError (422) naming every one of `errors`; nothing if there are none."""
    if errors:
        meta = obj["metadata"]
        raise invalid(
            resource.kind, resource.group, meta.get("name") or meta.get("generateName") or "", errors
        )


async def update_object(
    core: Core, call: Call, served: Served, produce: Callable[[Object], Object], rules: Rules
) -> Outcome:
    """Store what `produce` makes of the stored object (its argument, private); 200 with the result.

    When somebody else writes in between, it starts over, unless what `produce` made names the
    resourceVersion it is based on: then it is a conflict. Raises ApiError.
    """
    resource, info = served.resource, call.info
    # A webhook may itself write the object it is asked about: nobody may hold the turn meanwhile.
    asks = core.admission.concerned(core, resource, info.subresource, UPDATE).asks_outside

    async def attempt(cached: Cached) -> Outcome:
        call.stored_bytes = cached.served_bytes
        return await write_over(core, call, served, cached, produce, rules)

    async with nullcontext() if asks else core.turns.of(resource.key(info.namespace, info.name)):
        return await rewrite(
            served,
            info.namespace,
            info.name,
            attempt,
            attempts=UNORDERED_ATTEMPTS if asks else ATTEMPTS,
        )


def stored_object(core: Core, served: Served, cached: Cached, data: bytes, new: Object) -> Object:
    """The stored object as what is sent today would be read: rid of zeros, and with its defaults.

    Who wrote it may have kept zeros (an earlier version of this server, another API server): held against a
    `new` object that says the same, they would look like changes. Upstream decodes both alike, too. What was
    created since this server began is looked through only where the new object says something else.
    """
    old, resource = served.read(data), served.resource
    if resource.custom is None and (cached.created <= core.began_at or may_look_changed(resource, old, new)):
        findings_in(old, resource)
        resource.strategy.default(old)
    return old


def may_look_changed(resource: Resource, old: Object, new: Object) -> bool:
    """Whether there may be zeros or nulls that say nothing where `old` says something else than `new`."""
    if not all(old["metadata"].values()):
        return True
    parts = {name: value for name, value in old.items() if name != "metadata" and value != new.get(name)}
    if not parts or not resource.schema:
        return False
    return schema.may_have_zeros(orjson.dumps(parts), schema.definition(resource.schema))


async def write_over(
    core: Core,
    call: Call,
    served: Served,
    cached: Cached,
    produce: Callable[[Object], Object],
    rules: Rules,
) -> Outcome:
    """Replace the stored `cached` by what `produce` makes of it. Raises ApiError, Overtaken when it was."""
    resource = served.resource
    strategy = resource.strategy
    data, now = cached.data, core.timestamp()

    def prepare() -> tuple[Object, Object]:
        new = produce(served.read(data))
        old = stored_object(core, served, cached, data, new)
        _check_preconditions(resource, cached, old, new, is_put=call.info.verb == "update")
        _keep_metadata(new["metadata"], old["metadata"])
        if call.info.verb == "update":
            drop_repeated_owners(new, call.warnings)
        strategy.default(new)
        if rules.tracks_owners:
            ownership.track(core, call, resource, old, new, rules.resets, now)
        drop_disabled_fields(resource.group, resource.kind, new, old)
        rules.prepare(new, old)
        strategy.stamp(new, old, now)
        return new, old

    new, old = await beside(core, call, prepare)
    attributes = Attributes.of(core, call, served, UPDATE, new, old, cached=cached)
    if rules.lens is not None:
        attributes.obj, attributes.old = rules.lens.show(new), rules.lens.show(old)
    await core.admission.admit(attributes)
    if rules.lens is not None:
        rules.lens.take(new, attributes.obj or {})

    def judge() -> None:
        if rules.lens is None and attributes.is_changed:
            _keep_metadata(new["metadata"], old["metadata"])
            drop_disabled_fields(resource.group, resource.kind, new, old)
            rules.prepare(new, old)
            strategy.stamp(new, old, now)
        drop_repeated_owners(new, call.warnings, after_admission=True)
        new["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"]
        refuse_invalid(resource, new, first_errors(lambda: rules.validate(new, old)))
        call.warnings.extend(strategy.warnings(new, old))

    def is_the_same() -> bool:
        forget_new_times(new, old)
        return is_identical(new, old)

    await beside(core, call, judge, call.weight * strategy.weight_factor)
    await core.admission.validate(attributes)
    if not served.is_stored_otherwise(cached) and await beside(core, call, is_the_same):
        return Outcome(data=served.data(cached))
    if call.is_dry_run:
        return Outcome(obj=new)
    storing = _update_reserved(core, served, attributes, cached, new, old, is_applied=not rules.tracks_owners)
    return await _carry_out(attributes, storing)


async def _update_reserved(
    core: Core,
    served: Served,
    attributes: Attributes,
    cached: Cached,
    new: Object,
    old: Object,
    *,
    is_applied: bool,
) -> Outcome:
    with attributes:
        if is_finished(new) and old["metadata"].get("deletionGracePeriodSeconds") in (0, None):
            return await _finish(core, served, cached, new)
        reservation = core.services.reserve(served.resource, new, old)
        try:
            await _lighter_if_needed(
                new, lambda: swap(core, served, cached, new, reservation), is_applied=is_applied
            )
        except BaseException:
            reservation.undo()
            raise
        reservation.commit()
        return Outcome(obj=new)


async def _finish(core: Core, served: Served, cached: Cached, new: Object) -> Outcome:
    """The last finalizer is gone: the object goes too."""
    revision = await remove(core, served, cached)
    new["metadata"]["resourceVersion"] = str(revision)
    return Outcome(obj=new)


def is_finished(obj: Object) -> bool:
    """Whether the object is being deleted and nothing holds it any longer."""
    meta = obj["metadata"]
    return bool(meta.get("deletionTimestamp")) and not finalizers_of(obj)


def finalizers_of(obj: Object) -> list[str]:
    """Everything that keeps a deleted object around; a namespace has some in its spec as well."""
    finalizers = list(obj["metadata"].get("finalizers") or ())
    if obj.get("kind") == "Namespace" and obj.get("apiVersion") == "v1":
        finalizers.extend((obj.get("spec") or {}).get("finalizers") or ())
    return finalizers


def _check_preconditions(
    resource: Resource, cached: Cached, old: Object, new: Object, *, is_put: bool
) -> None:
    """Check uid and resourceVersion the client named. Raises ApiError (409, 422)."""
    meta, old_meta = new["metadata"], old["metadata"]
    uid = meta.get("uid")
    if uid and uid != old_meta.get("uid"):
        raise other_incarnation(resource, cached.name, cached.key, uid, old_meta.get("uid", ""))
    revision = meta.get("resourceVersion")
    if not revision or revision == "0":
        if is_put and not resource.strategy.unconditional_update:
            problem = invalid_value("metadata.resourceVersion", 0, "must be specified for an update")
            raise invalid(resource.plural, resource.group, cached.name, [problem])
    elif revision != str(cached.revision):
        raise conflict(resource.plural, resource.group, cached.name)


def other_incarnation(resource: Resource, name: str, key: str, asked: str, found: str) -> ApiError:
    """409: the client means an object that had the name before (or will have it)."""
    why = (
        f"StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, AdditionalErrorMsg: "
        f"Precondition failed: UID in precondition: {asked}, UID in object meta: {found}"
    )
    return conflict(resource.plural, resource.group, name, why)


KEPT_METADATA = ("uid", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds")


def _keep_metadata(meta: Object, old: Object) -> None:
    """Put back what only the server may change."""
    meta.pop("selfLink", None)
    for field in KEPT_METADATA:
        if field in old:
            if field not in ("uid", "creationTimestamp") or not meta.get(field):
                meta[field] = old[field]
        elif field != "uid":
            meta.pop(field, None)
    if "namespace" in old:
        meta.setdefault("namespace", old["namespace"])
    meta.setdefault("name", old["name"])

"""Carrying out a stage's steps through the API. Source: KWOK's pkg/utils/lifecycle/next.go and apply.go."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from wherry.api.catalog import by_kind
from wherry.api.resource import Resource
from wherry.client.api import Client
from wherry.client.events import Recorder
from wherry.client.transport import APPLY_PATCH
from wherry.hollow.addresses import RangeFull
from wherry.hollow.stages import (
    Apply,
    Delete,
    Finalizers,
    Patch,
    Say,
    Stage,
    StageBlocked,
    StageFailed,
    Step,
    Surroundings,
    finalizer_patch,
)
from wherry.kit.clock import Clock
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, metadata, name_of, namespace_of, uid_of


class Performer:
    """Carries out steps with `client`, and for users steps name with what `client_as(user)` gives."""

    def __init__(
        self,
        client: Client,
        clock: Clock,
        recorder: Recorder,
        around: Surroundings,
        client_as: Callable[[str], Client] | None = None,
    ) -> None:
        self._client = client
        self._clock = clock
        self._recorder = recorder
        self._around = around
        self._client_as = client_as
        self._clients: dict[str, Client] = {}

    def moment(self, ago_s: float) -> datetime:
        """The wall clock `ago_s` seconds ago."""
        return self._clock.now() - timedelta(seconds=ago_s)

    async def perform(self, stage: Stage, step: Step, obj: Object, last: Object | None) -> Object | None:
        """Carry out one step; `last` is the object as a step before wrote it, None if none did.

        Returns the object as last written. Raises ApiError where the API refuses, StageFailed.
        """
        try:
            if isinstance(step, Say):
                self._recorder.event(obj, step.type, step.reason, step.text(obj))
            elif isinstance(step, Finalizers):
                operations = finalizer_patch(metadata(last or obj).get("finalizers") or (), step)
                if operations:
                    return await self._client.patch(
                        stage.resource, name_of(obj), namespace_of(obj), list(operations)
                    )
            elif isinstance(step, Delete):
                await self._delete(stage.resource, obj)
            elif isinstance(step, Patch):
                if step.is_heartbeat is not None and step.is_heartbeat(obj):
                    (written,) = await self._as(step.as_user).beat(stage.resource, [obj])
                    if written is not None:
                        return written
                return await self._patch(stage.resource, step, obj)
            else:
                await self._apply(step, stage, obj)
        except RangeFull as error:
            raise StageBlocked(str(error)) from error
        return last

    def _as(self, user: str) -> Client:
        if not user:
            return self._client
        found = self._clients.get(user)
        if found is None:
            if self._client_as is None:
                raise StageFailed(f"impersonation of {user} is not possible here: no client acts for others")
            found = self._clients[user] = self._client_as(user)
        return found

    async def _delete(self, resource: Resource, obj: Object) -> None:
        try:
            await self._client.delete(
                resource, name_of(obj), namespace_of(obj), grace_period_s=0, uid=uid_of(obj)
            )
        except ApiError as error:
            if error.code not in (404, 409):  # 409: another of that name is there by now
                raise

    async def _patch(self, resource: Resource, step: Patch, obj: Object) -> Object:
        change = step.make(obj, self._around)
        if isinstance(change, dict) and uid_of(obj):
            # Not for another object that has the name by now (upstream's status manager does the same).
            change = {**change, "metadata": {**(change.get("metadata") or {}), "uid": uid_of(obj)}}
        return await self._as(step.as_user).patch(
            resource,
            name_of(obj),
            namespace_of(obj),
            change,
            content_type=step.content_type,
            subresource=step.subresource,
            force=step.content_type == APPLY_PATCH,
        )

    async def _apply(self, step: Apply, stage: Stage, obj: Object) -> None:
        made: Object = step.make(obj, self._around)
        resource = by_kind(made.get("apiVersion") or "", made.get("kind") or "")
        if resource is None:
            what = f"{made.get('kind') or 'no kind'} of {made.get('apiVersion') or 'no version'}"
            raise StageFailed(f"stage {stage.name}: cannot apply {what}: no such built-in resource")
        if resource.namespaced and not namespace_of(made):
            made = {**made, "metadata": {**metadata(made), "namespace": namespace_of(obj)}}
        client = self._as(step.as_user)
        if step.content_type != APPLY_PATCH and not step.subresource:
            try:
                await client.create(resource, made)
                return
            except ApiError as error:
                if error.reason != "AlreadyExists":
                    raise
        await client.patch(
            resource,
            name_of(made),
            namespace_of(made),
            made,
            content_type=step.content_type,
            subresource=step.subresource,
            force=step.content_type == APPLY_PATCH,
        )

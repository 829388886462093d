"""Certificates of pods: the node makes a key, asks a signer by a PodCertificateRequest, and renews in time.

pkg/kubelet/podcertificate, KEP-4317. Nothing of it outlives the agent: after a restart every volume gets
another key and certificate. A request that was denied or failed is so for as long as the pod lives.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Any, TypeAlias

from wherry.api.certificates.pem import CERTIFICATE, blocks_of
from wherry.api.certificates.pod_certificate_requests import POD_CERTIFICATE_REQUESTS
from wherry.api.certificates.pod_requests import DEFAULT_S
from wherry.api.core.nodes import NODES
from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.client.api import Client
from wherry.client.cache import Cache
from wherry.client.events import Recorder
from wherry.kit.clock import Clock
from wherry.kit.disk import Disk
from wherry.kit.repeat import Repeater
from wherry.kit.tasks import Tasks
from wherry.kubelet.pod import spec_of
from wherry.kubelet.volumes.base import Credentials, MountFailure
from wherry.kubelet.volumes.pod_keys import make_key
from wherry.kubelet.volumes.trust_bundles import to_pem
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, key_of, name_of, namespace_of, parse_time, uid_of

log = logging.getLogger(__name__)

LOOK_S = 60.0
"""So often it is looked what is to be renewed: timers stand still while a machine sleeps."""
OVERDUE = timedelta(minutes=10)
ASSUME_DELETED_S = 600.0
JITTER_S = 300.0
KEY_TIMEOUT_S = 60.0
_NOT_YET = "credential bundle is not issued yet"

_Place: TypeAlias = tuple[str, str, int]
"""The pod's uid, the volume's name, which of its sources."""


@dataclass(frozen=True, slots=True)
class _Issued:
    """What a signer gave, and when another is to be asked for."""

    credentials: Credentials
    refresh_at: datetime
    expires_at: datetime
    told_overdue: bool = False
    told_expired: bool = False


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request under way: its name and uid, the key it is for, until when one not seen is waited for."""

    name: str
    uid: str
    key: bytes
    until_s: float


@dataclass(slots=True)
class _State:
    """How one source of a volume stands."""

    pod: Object
    source: Mapping[str, Any]
    issued: _Issued | None = None
    asked: _Asked | None = None
    refused: str = ""


class PodCertificates:
    """The certificates of the pods of one node.

    `on_change(pod_uid)` is called when one was issued or refused.
    """

    def __init__(
        self,
        client: Client,
        clock: Clock,
        disk: Disk,
        recorder: Recorder,
        random: Random,
        node_name: str,
        on_change: Callable[[str], None],
    ) -> None:
        self._client = client
        self._clock = clock
        self._disk = disk
        self._recorder = recorder
        self._random = random
        self._node_name = node_name
        self._on_change = on_change
        self._states: dict[_Place, _State] = {}
        self._by_request: dict[str, _Place] = {}
        """By the request's uid: another namespace may have one with its name, and so may a later time."""
        self._cache = Cache(client, clock)
        self._tasks = Tasks("pod certificates")
        self._renewing = Repeater("renewing pod certificates", self._renew, self._tasks, clock)
        self._follows = False

    async def credentials(
        self, pod: Object, volume: str, index: int, source: Mapping[str, Any]
    ) -> Credentials:
        """The newest there are for a volume's source; asks for some if there are none.

        Raises MountFailure.
        """
        await self._follow()
        place = (uid_of(pod), volume, index)
        state = self._states.setdefault(place, _State(pod, source))
        if state.refused:
            raise MountFailure(state.refused)
        if state.issued is not None:
            return state.issued.credentials
        if state.asked is None:
            await self._ask(place, state)
        raise MountFailure(_NOT_YET)

    def forget(self, pod_uid: str) -> None:
        """The pod is gone; its requests go with it."""
        for place in [place for place in self._states if place[0] == pod_uid]:
            asked = self._states.pop(place).asked
            if asked is not None:
                self._by_request.pop(asked.uid, None)

    async def close(self) -> None:
        """Stop following and renewing."""
        await self._renewing.close()
        await self._tasks.close()
        await self._cache.close()

    async def _follow(self) -> None:
        if not self._follows:
            self._follows = True
            selector = f"spec.nodeName={self._node_name}"
            self._cache.add(POD_CERTIFICATE_REQUESTS, field_selector=selector)
            self._cache.on(POD_CERTIFICATE_REQUESTS, self._changed)
            self._renewing.within(LOOK_S)
        await self._cache.start()

    async def _ask(self, place: _Place, state: _State) -> None:
        """Make a key and a request for it. Raises MountFailure."""
        pod, source = state.pod, state.source
        namespace, account = namespace_of(pod), spec_of(pod).get("serviceAccountName") or "default"
        try:
            known = await self._client.get(SERVICE_ACCOUNTS, account, namespace)
            node = await self._client.get(NODES, self._node_name)
            make = partial(make_key, source.get("keyType") or "")
            key, request = await self._disk.run(f"a key of pod {place[0]}", make, KEY_TIMEOUT_S)
            spec: Object = {
                "signerName": source.get("signerName") or "",
                "podName": name_of(pod),
                "podUID": uid_of(pod),
                "serviceAccountName": account,
                "serviceAccountUID": uid_of(known),
                "nodeName": self._node_name,
                "nodeUID": uid_of(node),
                "maxExpirationSeconds": int(source.get("maxExpirationSeconds") or DEFAULT_S),
                "stubPKCS10Request": request,
            }
            if source.get("userAnnotations"):
                spec["unverifiedUserAnnotations"] = source["userAnnotations"]
            owner = {"apiVersion": "v1", "kind": "Pod", "name": name_of(pod), "uid": uid_of(pod)}
            body: Object = {
                "apiVersion": "certificates.k8s.io/v1",
                "kind": "PodCertificateRequest",
                "metadata": {
                    "namespace": namespace,
                    "generateName": "req-",
                    "ownerReferences": [owner],
                },
                "spec": spec,
            }
            made = await self._client.create(POD_CERTIFICATE_REQUESTS, body)
        except ApiError as error:
            raise MountFailure(f"while creating PodCertificateRequest: {error.message}") from error
        except (ValueError, TimeoutError) as error:
            raise MountFailure(f"while generating keypair: {error}") from error
        if self._states.get(place) is not state:  # the pod went meanwhile; its request goes with it
            return
        until_s = self._clock.monotonic() + ASSUME_DELETED_S + self._jitter_s()
        state.asked = _Asked(name_of(made), uid_of(made), key, until_s)
        self._by_request[uid_of(made)] = place
        self._take_in(place, state, self._cache.get(POD_CERTIFICATE_REQUESTS, key_of(made)))

    def _changed(self, _old: Object | None, new: Object | None) -> None:
        place = self._by_request.get(uid_of(new)) if new is not None else None
        if place is not None and place in self._states:
            self._take_in(place, self._states[place], new)

    def _take_in(self, place: _Place, state: _State, request: Object | None) -> None:
        """What has become of the request under way."""
        asked = state.asked
        if asked is None or request is None or uid_of(request) != asked.uid:
            return
        status = request.get("status") or {}
        for condition in status.get("conditions") or ():
            kind = condition.get("type")
            if kind not in ("Issued", "Denied", "Failed"):
                continue
            state.asked = None
            self._by_request.pop(asked.uid, None)
            if kind == "Issued":
                state.issued = self._issued(asked, status)
            else:
                self._refuse(state, request, kind, condition)
            self._on_change(place[0])
            return

    def _issued(self, asked: _Asked, status: Mapping[str, Any]) -> _Issued:
        chain = "".join(to_pem(CERTIFICATE, b.contents) for b in blocks_of(status["certificateChain"]))
        refresh_at = parse_time(status["beginRefreshAt"]) + timedelta(seconds=self._jitter_s())
        return _Issued(Credentials(asked.key, chain.encode()), refresh_at, parse_time(status["notAfter"]))

    def _refuse(self, state: _State, request: Object, kind: str, condition: Mapping[str, Any]) -> None:
        reason, message = condition.get("reason") or "", condition.get("message") or ""
        what = f'reason="{reason}" message="{message}"'
        state.refused = f"PodCertificateRequest was permanently {kind.lower()}: {what}"
        verb = "was denied" if kind == "Denied" else "failed"
        told = f'PodCertificateRequest {key_of(request)} {verb}, reason="{reason}", message="{message}"'
        self._recorder.event(state.pod, "Warning", kind, told)

    async def _renew(self) -> float:
        """Ask for those that are due, and again for what nobody has seen for long."""
        now = self._clock.now()
        for place, state in list(self._states.items()):
            self._give_up_unseen(place, state)
            issued = state.issued
            if issued is None or state.refused or now < issued.refresh_at:
                continue
            state.issued = self._tell_late(state.pod, issued, now)
            if state.asked is None:
                try:
                    await self._ask(place, state)
                except MountFailure as error:
                    log.warning("pod %s: its certificate is not renewed yet: %s", key_of(state.pod), error)
        return LOOK_S

    def _give_up_unseen(self, place: _Place, state: _State) -> None:
        """A request that nobody shows for long was deleted: there will be another."""
        asked = state.asked
        if asked is None or self._clock.monotonic() <= asked.until_s:
            return
        key = f"{namespace_of(state.pod)}/{asked.name}"
        shown = self._cache.get(POD_CERTIFICATE_REQUESTS, key)
        if shown is None or uid_of(shown) != asked.uid:
            log.warning("PodCertificateRequest %s appears to have been deleted", key)
            self._by_request.pop(asked.uid, None)
            state.asked = None
            if state.issued is None:
                self._on_change(place[0])

    def _tell_late(self, pod: Object, issued: _Issued, now: datetime) -> _Issued:
        tell = partial(self._recorder.event, pod, "Warning")
        if now > issued.refresh_at + OVERDUE and not issued.told_overdue:
            tell("CertificateOverdueForRefresh", "PodCertificate refresh overdue")
            issued = replace(issued, told_overdue=True)
        if now > issued.expires_at and not issued.told_expired:
            tell("CertificateExpired", "PodCertificate expired")
            issued = replace(issued, told_expired=True)
        return issued

    def _jitter_s(self) -> float:
        """Up to five minutes, so that many pods do not ask together."""
        return self._random.random() * JITTER_S

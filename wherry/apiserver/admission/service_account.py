"""ServiceAccount: every pod runs as some account and, unless it objects, gets a token of it mounted."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

from wherry.api.core.pod_spec.annotations import MIRROR
from wherry.api.core.pod_spec.references import secret_names
from wherry.api.core.pods import PODS
from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.api.resource import Resource
from wherry.apiserver.admission.base import CREATE, UPDATE, Attributes, BasePlugin
from wherry.apiserver.admission.mountable_secrets import ephemeral_problem, is_limited, pod_problem
from wherry.apiserver.cacher import CachedEvent
from wherry.apiserver.parts import Parts
from wherry.objects.errors import ApiError, forbidden
from wherry.objects.meta import Object, annotations_of, name_of
from wherry.objects.suffixes import random_suffix

DEFAULT_ACCOUNT = "default"
EPHEMERAL_CONTAINERS = "ephemeralcontainers"
MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
VOLUME_PREFIX = "kube-api-access-"
TOKEN_SECONDS = 3607
WAIT_FOR_DEFAULT_S = 3.0


class ServiceAccount(BasePlugin):
    """See the module."""

    name = "ServiceAccount"

    def handles(self, resource: Resource, subresource: str, operation: str) -> bool:
        if resource is not PODS:
            return False
        return (subresource, operation) in (("", CREATE), (EPHEMERAL_CONTAINERS, UPDATE))

    async def admit(self, attributes: Attributes) -> None:
        pod = attributes.obj
        if pod is None or attributes.subresource:
            return
        if MIRROR in annotations_of(pod):
            _check_mirror(attributes, pod)  # nothing is added to what its node runs already
            return
        spec = pod.setdefault("spec", {})
        name = spec.get("serviceAccountName") or spec.get("serviceAccount") or DEFAULT_ACCOUNT
        spec["serviceAccountName"] = spec["serviceAccount"] = name
        account = await _existing_account(attributes, name)
        if _mounts_token(spec, account):
            mount_token(spec, attributes.core.random)
        if not spec.get("imagePullSecrets") and account.get("imagePullSecrets"):
            spec["imagePullSecrets"] = account["imagePullSecrets"]
        _check_secrets(attributes, pod, account)

    async def validate(self, attributes: Attributes) -> None:
        """Hold the pod, as it will be stored, to what its account lets it get at."""
        pod = attributes.obj or {}
        if not attributes.subresource and MIRROR in annotations_of(pod):
            _check_mirror(attributes, pod)
            return
        name = (pod.get("spec") or {}).get("serviceAccountName") or ""
        if not name:
            shown = name_of(pod)
            raise _refused(attributes, f"no service account specified for pod {attributes.namespace}/{shown}")
        _check_secrets(attributes, pod, await _existing_account(attributes, name))


def _check_mirror(attributes: Attributes, pod: Object) -> None:
    if why := mirror_problem(pod):
        raise _refused(attributes, f"a mirror pod may not {why}")


def _check_secrets(attributes: Attributes, pod: Object, account: Object) -> None:
    if is_limited(account):
        problem = ephemeral_problem if attributes.subresource else pod_problem
        if why := problem(account, pod):
            raise _refused(attributes, why)


def mirror_problem(pod: Object) -> str:
    """What a mirror pod does that it may not, "" if nothing.

    Its node runs it whatever is said here: it must not get at anything that way.
    """
    spec = pod.get("spec") or {}
    if spec.get("serviceAccountName"):
        return "reference service accounts"
    if secret_names(pod):
        return "reference secrets"
    for volume in spec.get("volumes") or ():
        sources = (volume.get("projected") or {}).get("sources") or ()
        if any(source.get("serviceAccountToken") is not None for source in sources):
            return "use ServiceAccountToken volume projections"
    return ""


def _refused(attributes: Attributes, why: str) -> ApiError:
    return forbidden("pods", "", attributes.name, why)


async def _existing_account(attributes: Attributes, name: str) -> Object:
    """The account. Raises ApiError (403) when there is none."""
    account = await _account(attributes.core, attributes.namespace, name)
    if account is None:
        raise _refused(
            attributes,
            f"error looking up service account {attributes.namespace}/{name}: "
            f'serviceaccount "{name}" not found',
        )
    return account


async def _account(core: Parts, namespace: str, name: str) -> Object | None:
    """The account; the default one of a new namespace is waited for a moment, as it is on its way."""
    served = core.registry.of(SERVICE_ACCOUNTS)
    await served.source.open()
    cached = served.get(namespace, name)
    if cached is None and name == DEFAULT_ACCOUNT:
        arrived = asyncio.Event()

        def sink(_: Sequence[CachedEvent]) -> None:
            arrived.set()

        subscription = served.cacher.watch(namespace, 0, None, sink, name=name)
        timer = core.clock.call_later(WAIT_FOR_DEFAULT_S, arrived.set)
        try:
            await arrived.wait()
        finally:
            timer.cancel()
            subscription.close()
        cached = served.get(namespace, name)
    return cached.decode() if cached is not None else None


def _mounts_token(spec: Object, account: Object) -> bool:
    for holder in (spec, account):
        wish = holder.get("automountServiceAccountToken")
        if wish is not None:
            return bool(wish)
    return True


def mount_token(spec: Object, rng: random.Random) -> None:
    """Mount a projected token volume into every container that has nothing at its path yet.

    A token volume the pod has already is taken: of an earlier round, or of a copied pod.
    """
    containers = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    without = [
        c
        for c in containers
        if not any(m.get("mountPath") == MOUNT_PATH for m in c.get("volumeMounts") or ())
    ]
    if not without:
        return
    volumes = spec.get("volumes") or []
    names = {volume.get("name") or "" for volume in volumes}
    present = next((name for name in sorted(names) if name.startswith(VOLUME_PREFIX)), "")
    name = present
    while not name or (name in names and not present):
        name = VOLUME_PREFIX + random_suffix(rng)
    for container in without:
        mount = {"name": name, "readOnly": True, "mountPath": MOUNT_PATH}
        container["volumeMounts"] = [*(container.get("volumeMounts") or ()), mount]
    if not present:
        spec["volumes"] = [*volumes, _token_volume(name)]


def _token_volume(name: str) -> Object:
    return {
        "name": name,
        "projected": {
            "defaultMode": 420,
            "sources": [
                {"serviceAccountToken": {"expirationSeconds": TOKEN_SECONDS, "path": "token"}},
                {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                {
                    "downwardAPI": {
                        "items": [
                            {
                                "path": "namespace",
                                "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"},
                            }
                        ]
                    }
                },
            ],
        },
    }

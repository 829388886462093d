"""Which other objects a pod refers to by name.

Source: pkg/api/pod (VisitPodSecretNames, VisitPodConfigmapNames, HasAPIObjectReference).
"""

from __future__ import annotations

from collections.abc import Iterator

from wherry.objects.meta import Object


def _containers(pod: Object) -> Iterator[Object]:
    spec = pod.get("spec") or {}
    for field in ("initContainers", "containers", "ephemeralContainers"):
        yield from spec.get(field) or ()


def _names_of(pod: Object, env_from: str, env_key: str, volume: str, field: str) -> Iterator[str]:
    for container in _containers(pod):
        for source in container.get("envFrom") or ():
            yield (source.get(env_from) or {}).get("name", "")
        for variable in container.get("env") or ():
            yield ((variable.get("valueFrom") or {}).get(env_key) or {}).get("name", "")
    for item in (pod.get("spec") or {}).get("volumes") or ():
        yield (item.get(volume) or {}).get(field, "")
        for source in (item.get("projected") or {}).get("sources") or ():
            yield (source.get(volume) or {}).get("name", "")


_SECRET_REFS = (
    *(
        (source, "secretRef")
        for source in ("cephfs", "cinder", "flexVolume", "iscsi", "rbd", "scaleIO", "storageos")
    ),
    ("csi", "nodePublishSecretRef"),
)
"""Volumes that name a secret of the pod's namespace, and in which field."""


def secret_names(pod: Object) -> set[str]:
    """Names of the secrets the pod refers to (upstream's VisitPodSecretNames)."""
    spec = pod.get("spec") or {}
    names = set(_names_of(pod, "secretRef", "secretKeyRef", "secret", "secretName"))
    names.update(item.get("name", "") for item in spec.get("imagePullSecrets") or ())
    for volume in spec.get("volumes") or ():
        names.add((volume.get("azureFile") or {}).get("secretName", ""))
        for source, field in _SECRET_REFS:
            names.add(((volume.get(source) or {}).get(field) or {}).get("name", ""))
    return names - {""}


def config_map_names(pod: Object) -> set[str]:
    """Names of the config maps the pod refers to."""
    return set(_names_of(pod, "configMapRef", "configMapKeyRef", "configMap", "name")) - {""}


def claim_names(pod: Object) -> set[str]:
    """Names of the persistent volume claims the pod refers to, ephemeral ones included."""
    names = set()
    for item in (pod.get("spec") or {}).get("volumes") or ():
        names.add((item.get("persistentVolumeClaim") or {}).get("claimName", ""))
        if item.get("ephemeral"):
            names.add(f"{pod['metadata']['name']}-{item['name']}")
    return names - {""}


def account_names(pod: Object) -> set[str]:
    """The name of the pod's service account."""
    return {(pod.get("spec") or {}).get("serviceAccountName", "")} - {""}


_VOLUME_KINDS = {
    "configMap": "configmaps (via configmap volumes)",
    "secret": "secrets (via secret volumes)",
    "csi": "csidrivers (via CSI volumes)",
    "glusterfs": "endpoints (via glusterFS volumes)",
    "persistentVolumeClaim": "persistentvolumeclaims",
    "ephemeral": "persistentvolumeclaims (via ephemeral volumes)",
    "azureFile": "secrets (via azureFile volumes)",
}
_PROJECTED_KINDS = {
    "configMap": "configmaps (via projected volumes)",
    "secret": "secrets (via projected volumes)",
    "serviceAccountToken": "serviceaccounts (via projected volumes)",
    "clusterTrustBundle": "clustertrustbundles",
    "podCertificate": "podcertificates",
}


def api_reference(pod: Object) -> str:
    """What kind of API object the pod cannot run without, in upstream's words; "" if it needs none."""
    spec = pod.get("spec") or {}
    if spec.get("serviceAccountName") or spec.get("serviceAccount"):
        return "serviceaccounts"
    if secret_names(pod):
        return "secrets"
    if config_map_names(pod):
        return "configmaps"
    if spec.get("resourceClaims"):
        return "resourceclaims"
    for volume in spec.get("volumes") or ():
        for field, kind in _VOLUME_KINDS.items():
            if volume.get(field) is not None:
                return kind
        for source in (volume.get("projected") or {}).get("sources") or ():
            for field, kind in _PROJECTED_KINDS.items():
                if source.get(field) is not None:
                    return kind
    return ""

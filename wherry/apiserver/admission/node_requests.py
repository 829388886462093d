"""What a node asks for: tokens and certificates of its own pods, and its own certificates.

Source: plugin/pkg/admission/noderestriction (admitServiceAccount, admitPodCertificateRequest, admitCSR).
"""

from __future__ import annotations

from wherry.api.certificates.signers import KUBELET_CLIENT, KUBELET_SERVING
from wherry.api.certificates.subjects import asked_for, common_name
from wherry.api.core.nodes import NODES
from wherry.api.core.pod_spec.annotations import MIRROR
from wherry.api.core.pods import PODS
from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.api.resource import Resource
from wherry.apiserver.admission.base import CREATE, Attributes
from wherry.apiserver.request import RequestInfo
from wherry.apiserver.user import NODE_PREFIX
from wherry.objects.errors import internal, not_found
from wherry.objects.meta import Object, annotations_of, uid_of

ANY_AUDIENCE = "request-serviceaccounts-token-audience"


async def token_problem(node: str, attributes: Attributes) -> str:
    """Why `node` gets no token of a service account, "" if it gets one: it needs a pod that has one."""
    if (attributes.operation, attributes.subresource) != (CREATE, "token"):
        return ""
    request = attributes.obj or {}
    bound = (request.get("spec") or {}).get("boundObjectRef") or {}
    if bound.get("kind") != "Pod" or bound.get("apiVersion", "v1") != "v1" or not bound.get("name"):
        return "node requested token not bound to a pod"
    if not bound.get("uid"):
        return "node requested token with a pod binding without a uid"
    pod = await _existing(attributes, PODS, bound["name"])
    if uid_of(pod) != bound["uid"]:
        return (
            f"the UID in the bound object reference ({bound['uid']}) does not match the UID in record. "
            "The object might have been deleted and then recreated"
        )
    if (pod.get("spec") or {}).get("nodeName") != node:
        return "node requested token bound to a pod scheduled on a different node"
    return _audience_problem(pod, attributes)


def _audience_problem(pod: Object, attributes: Attributes) -> str:
    """A token made for somebody the pod has no token for would let the node act as the pod there."""
    asked = ((attributes.obj or {}).get("spec") or {}).get("audiences") or []
    own = attributes.core.authenticator.audiences
    if len(asked) > 1:
        return "node may only request 0 or 1 audiences"
    audience = asked[0] if asked and asked[0] not in own else ""
    sources = (
        source.get("serviceAccountToken")
        for volume in (pod.get("spec") or {}).get("volumes") or ()
        for source in (volume.get("projected") or {}).get("sources") or ()
    )
    for source in sources:
        named = (source or {}).get("audience") or ""
        if source is not None and audience == ("" if named in own else named):
            return ""
    info = RequestInfo(ANY_AUDIENCE, "", True, "", "", attributes.namespace, audience, attributes.name)
    if attributes.core.authorizer.decide(attributes.user, info).allowed:
        return ""
    return (
        f'audience "{audience}" not found in pod spec volume, {attributes.user.name} is not authorized to '
        "request tokens for this audience"
    )


async def pod_certificate_problem(node: str, attributes: Attributes) -> str:
    """Why `node` must not ask for this certificate of a pod, "" if it may: the pod runs there, as it says.

    Raises ApiError: 404 for a node or pod that is not there, 500 where a uid is another than the known one
    (what is known may be old, so that another try may help).
    """
    if attributes.operation != CREATE:
        return f"unexpected operation {attributes.operation}"
    if attributes.subresource:
        return f"unexpected subresource {attributes.subresource}"
    spec = (attributes.obj or {}).get("spec") or {}
    if spec.get("nodeName") != node:
        named = spec.get("nodeName") or ""
        return f'PodCertificateRequest.Spec.NodeName="{named}", which is not the requesting node "{node}"'
    whose = f'"{attributes.namespace}/{spec.get("podName") or ""}"'
    running = await _existing(attributes, NODES, node)
    if uid_of(running) != spec.get("nodeUID"):
        raise internal(
            f'PodCertificateRequest for pod {whose} names node UID "{spec.get("nodeUID") or ""}", '
            f'inconsistent with the running node ("{uid_of(running)}")'
        )
    pod = await _existing(attributes, PODS, spec.get("podName") or "")
    if uid_of(pod) != spec.get("podUID"):
        raise internal(
            f'PodCertificateRequest for pod {whose} contains pod UID ("{spec.get("podUID") or ""}") which '
            f'differs from running pod "{uid_of(pod)}"'
        )
    if (pod.get("spec") or {}).get("nodeName") != node:
        return f'pod {whose} is not running on node "{node}" named in the PodCertificateRequest'
    if MIRROR in annotations_of(pod):
        return f"pod {whose} is a mirror pod"
    return await _account_problem(whose, pod, attributes)


async def _account_problem(whose: str, pod: Object, attributes: Attributes) -> str:
    spec = (attributes.obj or {}).get("spec") or {}
    name, known = (
        spec.get("serviceAccountName") or "",
        (pod.get("spec") or {}).get("serviceAccountName") or "",
    )
    if name != known:
        return (
            f'PodCertificateRequest for pod {whose} contains serviceAccountName ("{name}") that differs from '
            f'running pod ("{known}")'
        )
    account = await _existing(attributes, SERVICE_ACCOUNTS, name)
    if uid_of(account) != spec.get("serviceAccountUID"):
        raise internal(
            f"PodCertificateRequest for pod {whose} names service account UID "
            f'"{spec.get("serviceAccountUID") or ""}", which differs from the running service account '
            f'("{uid_of(account)}")'
        )
    return ""


async def signing_request_problem(node: str, attributes: Attributes) -> str:
    """Why `node` must not send this CertificateSigningRequest, "" if it may: a kubelet's is for itself."""
    csr = attributes.obj or {}
    signer = (csr.get("spec") or {}).get("signerName")
    if attributes.operation != CREATE or attributes.subresource:
        return ""
    if signer not in (KUBELET_CLIENT, KUBELET_SERVING):
        return ""
    asked = asked_for(csr)
    if asked is None:
        return "unable to parse csr"
    own = f"{NODE_PREFIX}{node}"
    return "" if common_name(asked) == own else f"can only create a node CSR with CN={own}"


async def _existing(attributes: Attributes, resource: Resource, name: str) -> Object:
    """The object of that name in the request's namespace. Raises ApiError (404) if there is none."""
    found = await attributes.find(resource, attributes.namespace if resource.namespaced else "", name)
    if found is None:
        raise not_found(resource.plural, resource.group, name)
    return found

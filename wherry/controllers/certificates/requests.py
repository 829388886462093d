"""What a CertificateSigningRequest asks for, and whether its signer would sign that. Pure.

Source: pkg/apis/certificates/helpers.go (ValidateKubeletServingCSR, ValidateKubeletClientCSR) and
pkg/controller/certificates/signer/signer.go.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from wherry.api.certificates import pem
from wherry.api.certificates.signers import CLIENT, KUBELET_CLIENT, KUBELET_SERVING, LEGACY
from wherry.api.certificates.subjects import common_name, organizations
from wherry.objects.conditions import is_true
from wherry.objects.meta import Object

if TYPE_CHECKING:  # else imported where it is used: it is large, and few clusters are asked for certificates
    from cryptography import x509

NODES_GROUP = "system:nodes"
NODE_USER_PREFIX = "system:node:"
APPROVED, DENIED, FAILED = "Approved", "Denied", "Failed"
_ENCIPHERS = "key encipherment"


class NotSignable(ValueError):
    """The signer does not sign such a request; the text says why."""


def request_of(csr: Object) -> x509.CertificateSigningRequest:
    """The PKCS #10 request, read by the reader that validation and admission read it with.

    What another reader takes for the request may be another one, that nobody judged. Raises NotSignable for
    what none of our signers signs.
    """
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    block = next(pem.blocks_of(pem.text_of((csr.get("spec") or {}).get("request"))), None)
    if block is None or block.kind != pem.REQUEST:
        raise NotSignable(f"PEM block type must be {pem.REQUEST}")
    found = pem.request(block.contents)
    if found is None or not pem.is_well_signed(found):
        raise NotSignable("the request is none, or its signature is wrong")
    try:
        alternative_names(found)
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise NotSignable(f"its extensions cannot be read: {error}") from error
    if len(found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)) > 1:
        raise NotSignable(
            "the subject has more than one common name"
        )  # readers differ in which one they take
    return found


def usages_of(csr: Object) -> frozenset[str]:
    """What the certificate is to be used for."""
    return frozenset((csr.get("spec") or {}).get("usages") or ())


def is_decided(csr: Object) -> bool:
    """Whether the request was approved or denied."""
    conditions = (csr.get("status") or {}).get("conditions")
    return is_true(conditions, APPROVED) or is_true(conditions, DENIED)


def awaits_signature(csr: Object) -> bool:
    """Whether the request was approved, and neither signed nor given up."""
    status = csr.get("status") or {}
    conditions = status.get("conditions")
    is_open = not (status.get("certificate") or is_true(conditions, DENIED) or is_true(conditions, FAILED))
    return is_open and is_true(conditions, APPROVED)


def alternative_names(request: x509.CertificateSigningRequest) -> list[x509.GeneralName]:
    """The subject alternative names asked for, of the kinds there are for Go; others are never signed."""
    from cryptography import x509

    kinds = (x509.DNSName, x509.RFC822Name, x509.IPAddress, x509.UniformResourceIdentifier)
    try:
        names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [name for name in names if isinstance(name, kinds)]


def check_kubelet_client(request: x509.CertificateSigningRequest, usages: frozenset[str]) -> None:
    """What a kubelet shows as a client. Raises NotSignable."""
    from cryptography import x509

    if organizations(request) != [NODES_GROUP]:
        raise NotSignable("subject organization is not system:nodes")
    names = alternative_names(request)
    for kind, what in (
        (x509.DNSName, "DNS"),
        (x509.RFC822Name, "email"),
        (x509.IPAddress, "IP"),
        (x509.UniformResourceIdentifier, "URI"),
    ):
        if any(isinstance(name, kind) for name in names):
            raise NotSignable(f"{what} subjectAltNames are not allowed")
    if not common_name(request).startswith(NODE_USER_PREFIX):
        raise NotSignable("subject common name does not begin with system:node:")
    if usages - {_ENCIPHERS} != {"client auth", "digital signature"}:
        raise NotSignable(
            "usages did not match [client auth digital signature] or "
            "[client auth digital signature key encipherment]"
        )


def check_kubelet_serving(request: x509.CertificateSigningRequest, usages: frozenset[str]) -> None:
    """What a kubelet shows as a server. Raises NotSignable."""
    from cryptography import x509

    if organizations(request) != [NODES_GROUP]:
        raise NotSignable("subject organization is not system:nodes")
    names = alternative_names(request)
    if not any(isinstance(name, x509.DNSName | x509.IPAddress) for name in names):
        raise NotSignable("DNS or IP subjectAltName is required")
    if any(isinstance(name, x509.RFC822Name) for name in names):
        raise NotSignable("email subjectAltNames are not allowed")
    if any(isinstance(name, x509.UniformResourceIdentifier) for name in names):
        raise NotSignable("URI subjectAltNames are not allowed")
    if usages - {_ENCIPHERS} != {"server auth", "digital signature"}:
        raise NotSignable(
            "usages did not match [digital signature server auth] or "
            "[digital signature key encipherment server auth]"
        )
    if not common_name(request).startswith(NODE_USER_PREFIX):
        raise NotSignable("subject common name does not begin with system:node:")


def _check_client(_: x509.CertificateSigningRequest, usages: frozenset[str]) -> None:
    allowed = {"digital signature", _ENCIPHERS, "client auth"}
    if wrong := sorted(usages - allowed):
        raise NotSignable(f"invalid usage for client certificate: {wrong[0]}")
    if "client auth" not in usages:
        raise NotSignable("missing required usage for client certificate: client auth")


def _check_nothing(_: x509.CertificateSigningRequest, __: frozenset[str]) -> None:
    """Whatever was approved is signed, as before there were signers."""


CHECKS: Mapping[str, Callable[[x509.CertificateSigningRequest, frozenset[str]], None]] = {
    CLIENT: _check_client,
    KUBELET_CLIENT: check_kubelet_client,
    KUBELET_SERVING: check_kubelet_serving,
    LEGACY: _check_nothing,
}
"""What each of Kubernetes' signers asks of a request it signs."""


def asker(csr: Object) -> Object:
    """Who asks, as a SubjectAccessReview names them."""
    spec: dict[str, Any] = csr.get("spec") or {}
    return {
        "user": spec.get("username") or "",
        "uid": spec.get("uid") or "",
        "groups": spec.get("groups") or [],
        "extra": spec.get("extra") or {},
    }

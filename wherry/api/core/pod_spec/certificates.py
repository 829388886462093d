"""What projected volumes bring of the certificates group: trust bundles, and certificates of the pod's own.

Rules: pkg/apis/core/validation, validateProjectionSources.
"""

from __future__ import annotations

from collections.abc import Iterator

from wherry.api.certificates.pod_requests import LONGEST_OF_KUBERNETES_S, LONGEST_S, SHORTEST_S
from wherry.api.certificates.signers import is_of_kubernetes, signer_name_errors
from wherry.api.core.pod_spec.rules import Errors, Fields, check_choice, check_local_path
from wherry.api.validation import validate_annotations, validate_label_selector
from wherry.objects.errors import invalid_value, required
from wherry.objects.names import dns1123_subdomain_errors

KEY_TYPES = ("ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519", "RSA3072", "RSA4096")
CERTIFICATE_PATHS = ("credentialBundlePath", "keyPath", "certificateChainPath")


def validate_trust_bundle(bundle: Fields, path: str, errors: Errors) -> None:
    """A `ClusterTrustBundleProjection`: one bundle by its name, or all of a signer's."""
    name, signer = bundle.get("name"), bundle.get("signerName")
    selector = bundle.get("labelSelector")
    if name is not None and signer is not None:
        errors.append(invalid_value(path, bundle, "only one of name and signerName may be used"))
    elif name is not None:
        if not name:
            errors.append(required(f"{path}.name", "must be a valid object name"))
        errors.extend([invalid_value(f"{path}.name", name, text) for text in _bundle_name_errors(name)])
        if selector is not None:
            detail = "labelSelector must be unset if name is specified"
            errors.append(invalid_value(f"{path}.labelSelector", selector, detail))
    elif signer is not None:
        if not signer:
            errors.append(required(f"{path}.signerName", "must be a valid signer name"))
        errors.extend(signer_name_errors(signer, f"{path}.signerName"))
        errors.extend(validate_label_selector(selector, f"{path}.labelSelector"))
    else:
        errors.append(required(path, "either name or signerName must be specified"))
    if not bundle.get("path"):
        errors.append(required(f"{path}.path"))
    check_local_path(bundle.get("path") or "", f"{path}.path", errors)


def _bundle_name_errors(name: str) -> Iterator[str]:
    """A signer's bundles are called `example.com:signer:name`."""
    if name:
        last = name.rpartition(":")[2]
        for text in dns1123_subdomain_errors(last):
            yield f"not a valid clustertrustbundlename: {text}"


def validate_pod_certificate(certificate: Fields, path: str, errors: Errors) -> None:
    """A `PodCertificateProjection`."""
    signer = certificate.get("signerName") or ""
    errors.extend(signer_name_errors(signer, f"{path}.signerName"))
    check_choice(certificate.get("keyType") or "", KEY_TYPES, f"{path}.keyType", errors)
    life_s = certificate.get("maxExpirationSeconds")
    if life_s is not None:
        most_s = LONGEST_OF_KUBERNETES_S if is_of_kubernetes(signer) else LONGEST_S
        bound = f">= {SHORTEST_S}" if life_s < SHORTEST_S else f"<= {most_s}" if life_s > most_s else ""
        if bound:
            detail = f"if provided, maxExpirationSeconds must be {bound}"
            errors.append(invalid_value(f"{path}.maxExpirationSeconds", life_s, detail))
    given = [name for name in CERTIFICATE_PATHS if certificate.get(name)]
    if not given:
        detail = "specify at least one of credentialBundlePath, keyPath, and certificateChainPath"
        errors.append(required(path, detail))
    for name in given:
        check_local_path(certificate[name], f"{path}.{name}", errors)
    annotations, at = certificate.get("userAnnotations"), f"{path}.userAnnotations"
    errors.extend(validate_annotations(annotations, at))
    errors.extend(
        [
            invalid_value(f"{at}[{key}]", key, 'must be a domain-prefixed key (such as "acme.io/foo")')
            for key in annotations or ()
            if "/" not in key
        ]
    )

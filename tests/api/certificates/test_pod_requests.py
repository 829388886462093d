"""Pod certificate requests: what is asked for, and how it ends."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.api.certificates.material import START, certificate_der, encoded, pem, request_der
from wherry.api.certificates.pod_certificate_requests import POD_CERTIFICATE_REQUESTS

STRATEGY = POD_CERTIFICATE_REQUESTS.strategy


def asked(status: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    names = {"podName": "p", "serviceAccountName": "s", "nodeName": "n"}
    uids = {"podUID": "1", "serviceAccountUID": "2", "nodeUID": "3"}
    stub = {"stubPKCS10Request": encoded(request_der()), "signerName": "a.io/b"}
    obj: dict[str, Any] = {
        "metadata": {"name": "r", "namespace": "n", "resourceVersion": "1"},
        "spec": {**names, **uids, **stub, **spec},
        "status": status or {},
    }
    STRATEGY.default(obj)
    return obj


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({}, ""),
        ({"podUID": ""}, 'spec.podUID: Invalid value: "": must not be empty'),
        ({"nodeUID": "x" * 129}, "spec.nodeUID: Too long: may not be more than 128 bytes"),
        (
            {"maxExpirationSeconds": 60},
            "spec.maxExpirationSeconds: Invalid value: 60: must be in the range [3600, 7862400]",
        ),
        (
            {"maxExpirationSeconds": 90000, "signerName": "kubernetes.io/x"},
            "spec.maxExpirationSeconds: Invalid value: 90000: must be in the range [3600, 86400]",
        ),
        (
            {"stubPKCS10Request": "eA=="},
            'spec.stubPKCS10Request: Invalid value: "eA==": must be a valid DER-serialized PKCS#10 request',
        ),
    ],
)
def test_what_is_asked_for(spec: dict[str, Any], text: str) -> None:
    assert [str(error) for error in STRATEGY.validate(asked(**spec), None)] == ([text] if text else [])


def end(kind: str) -> dict[str, Any]:
    since = "2026-01-01T00:00:00Z"
    return {"type": kind, "status": "True", "reason": "Done", "lastTransitionTime": since}


def wire(hours: float) -> str:
    return (START + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")


ISSUED = {
    "conditions": [end("Issued")],
    "certificateChain": pem("CERTIFICATE", certificate_der()),
    "notBefore": wire(0),
    "notAfter": wire(2),
    "beginRefreshAt": wire(1),
}


@pytest.mark.parametrize(
    ("status", "before", "text"),
    [
        (ISSUED, {}, ""),
        ({"conditions": [end("Denied")]}, {}, ""),
        (
            {"conditions": [end("Ready")]},
            {},
            (
                'status.conditions[0].type: Unsupported value: "Ready": supported values: '
                '"Issued", "Denied", "Failed"'
            ),
        ),
        (
            {"conditions": [end("Issued"), end("Failed")]},
            {},
            (
                'status.conditions[1].type: Invalid value: "Failed": There may be at most '
                "one condition with type "
                '"Issued", "Denied", or "Failed"'
            ),
        ),
        (
            {"conditions": [end("Denied")], "notAfter": wire(2)},
            {},
            (
                'status: Invalid value: "": non-condition status fields must be empty when '
                "denying or failing the "
                "PodCertificateRequest"
            ),
        ),
        (
            {"conditions": [end("Denied")]},
            {"conditions": [end("Failed")]},
            'status: Invalid value: "": immutable after PodCertificateRequest is issued, denied, or failed',
        ),
        (
            {"notAfter": wire(2)},
            {},
            (
                'status: Invalid value: "": status is immutable unless transitioning to '
                '"Issued", "Denied", or '
                '"Failed"'
            ),
        ),
        (
            {**ISSUED, "beginRefreshAt": wire(1.95)},
            {},
            (
                f'status.beginRefreshAt: Invalid value: "{wire(1.95)}": '
                "must be at least 10 minutes before status.notAfter"
            ),
        ),
        (
            {**ISSUED, "notAfter": wire(3)},
            {},
            (
                f'status.notAfter: Invalid value: "{wire(3)}": '
                "must be set to the NotAfter time encoded in the leaf certificate"
            ),
        ),
    ],
)
def test_how_it_ends(status: dict[str, Any], before: dict[str, Any], text: str) -> None:
    told = [str(error) for error in STRATEGY.validate_status(asked(status), asked(before))]
    assert told == ([text] if text else [])

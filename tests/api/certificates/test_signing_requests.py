"""Certificate signing requests, held against upstream's words."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.api.certificates.material import certificate_der, encoded, pem, request_der
from wherry.api.certificates.certificate_signing_requests import CERTIFICATE_SIGNING_REQUESTS
from wherry.api.certificates.signing import kept_errors

STRATEGY = CERTIFICATE_SIGNING_REQUESTS.strategy
REQUEST = encoded(pem("CERTIFICATE REQUEST", request_der()))
CERTIFICATE = certificate_der()


def csr(status: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    given = {"request": REQUEST, "usages": ["client auth"], "signerName": "a.io/b", **spec}
    obj = {"metadata": {"name": "Any Name", "resourceVersion": "1"}, "spec": given}
    return {**obj, "status": status} if status is not None else obj


SIGNER = "must be a fully qualified domain and path of the form 'example.com/signer-name'"


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({}, ""),
        (
            {"request": encoded("x")},
            'spec.request: Invalid value: "eA==": PEM block type must be CERTIFICATE REQUEST',
        ),
        ({"usages": []}, "spec.usages: Required value: usages must be provided"),
        ({"usages": ["signing", "signing"]}, 'spec.usages[1]: Duplicate value: "signing"'),
        ({"signerName": "a.io"}, f'spec.signerName: Invalid value: "a.io": {SIGNER}'),
        (
            {"signerName": "a/b"},
            (
                'spec.signerName: Invalid value: "a": should be a domain with at least two '
                "segments separated by dots"
            ),
        ),
        ({"signerName": ""}, "spec.signerName: Required value"),
        (
            {"signerName": "kubernetes.io/legacy-unknown"},
            (
                'spec.signerName: Invalid value: "kubernetes.io/legacy-unknown": '
                "the legacy signerName is not allowed via this API version"
            ),
        ),
        (
            {"expirationSeconds": 599},
            (
                "spec.expirationSeconds: Invalid value: 599: "
                "may not specify a duration less than 600 seconds (10 minutes)"
            ),
        ),
    ],
)
def test_what_is_asked_for(spec: dict[str, Any], text: str) -> None:
    assert [str(error) for error in STRATEGY.validate(csr(**spec), None)] == ([text] if text else [])


def test_usages_are_known_ones() -> None:
    (error,) = STRATEGY.validate(csr(usages=["world domination"]), None)
    assert str(error).startswith(
        'spec.usages[0]: Unsupported value: "world domination": supported values: "any", "cert sign", '
    )


def test_what_is_asked_for_stays() -> None:
    new = csr(signerName="c.io/d")
    STRATEGY.prepare(new, csr())
    assert new["spec"]["signerName"] == "a.io/b"


def condition(kind: str, status: str = "True") -> dict[str, Any]:
    return {"type": kind, "status": status}


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (
            {"conditions": [condition("Failed", "False")]},
            'status.conditions[0].status: Unsupported value: "False": supported values: "True"',
        ),
        ({"conditions": [condition("", "True")]}, "status.conditions[0].type: Required value"),
        ({"conditions": [condition("X", "")]}, "status.conditions[0].status: Required value"),
        (
            {"conditions": [condition("Failed"), condition("Failed")]},
            'status.conditions[1].type: Duplicate value: "Failed"',
        ),
        (
            {"conditions": [condition("Approved")]},
            'status.conditions: Forbidden: updates may not add a condition of type "Approved"',
        ),
        (
            {"certificate": encoded("x")},
            (
                'status.certificate: Invalid value: "<certificate data>": '
                "must contain at least one CERTIFICATE PEM block"
            ),
        ),
        (
            {"certificate": encoded(pem("KEY", CERTIFICATE))},
            (
                'status.certificate: Invalid value: "<certificate data>": '
                'only CERTIFICATE PEM blocks are allowed, found "KEY"'
            ),
        ),
        (
            {"certificate": encoded(pem("CERTIFICATE", CERTIFICATE, "A: b\n\n"))},
            'status.certificate: Invalid value: "<certificate data>": no PEM block headers are permitted',
        ),
        ({"certificate": encoded("text\n" + pem("CERTIFICATE", CERTIFICATE))}, ""),
    ],
)
def test_what_the_status_may_say(status: dict[str, Any], text: str) -> None:
    told = [str(error) for error in STRATEGY.validate_status(csr(status), csr({}))]
    assert told == ([text] if text else [])


def test_the_certificate_and_the_decision_stay() -> None:
    old = csr({"certificate": encoded(pem("CERTIFICATE", CERTIFICATE)), "conditions": [condition("Denied")]})
    new = copy.deepcopy(old)
    new["status"]["certificate"] = encoded(pem("CERTIFICATE", certificate_der(serial=2)))
    new["status"]["conditions"] = []
    assert [str(error) for error in STRATEGY.validate_status(new, old)] == [
        'status.conditions: Forbidden: updates may not remove a condition of type "Denied"',
        "status.certificate: Forbidden: updates may not modify existing certificate content",
    ]
    assert kept_errors(csr({"conditions": [condition("Approved")]}), csr({}), may_decide=True) == []

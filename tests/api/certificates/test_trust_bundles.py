"""Cluster trust bundles, held against upstream's words."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.certificates.material import certificate_der, pem
from wherry.api.certificates.cluster_trust_bundles import CLUSTER_TRUST_BUNDLES

STRATEGY = CLUSTER_TRUST_BUNDLES.strategy
ROOT = pem("CERTIFICATE", certificate_der(is_authority=True))


def bundle(name: str = "b", text: str = ROOT, signer: str = "") -> dict[str, Any]:
    spec = {"trustBundle": text} | ({"signerName": signer} if signer else {})
    return {"metadata": {"name": name, "resourceVersion": "1"}, "spec": spec}


OMITTED = 'spec.trustBundle: Invalid value: "<value omitted>": '


@pytest.mark.parametrize(
    ("obj", "text"),
    [
        (bundle(), ""),
        (bundle("a.io:x:b", signer="a.io/x"), ""),
        (
            bundle("a:b"),
            (
                'metadata.name: Invalid value: "a:b": ClusterTrustBundle without signer '
                'name must not have ":" '
                "in its name"
            ),
        ),
        (
            bundle(signer="a.io/x"),
            (
                'metadata.name: Invalid value: "b": ClusterTrustBundle for signerName '
                "a.io/x must be named with "
                "prefix a.io:x:"
            ),
        ),
        (bundle(text="nothing"), f"{OMITTED}at least one trust anchor must be provided"),
        (bundle(text=ROOT + "x\n" + ROOT), f"{OMITTED}duplicate trust anchor (indices [0 1])"),
        (bundle(text=pem("KEY", b"x")), f"{OMITTED}entry 0 has bad block type: KEY"),
        (bundle(text=pem("CERTIFICATE", b"x")), f"{OMITTED}entry 0 does not parse as X.509"),
        (
            bundle(text=ROOT + pem("CERTIFICATE", certificate_der())),
            f"{OMITTED}entry 1 does not have the CA bit set",
        ),
        (bundle(text="x" * 1_048_577), "spec.trustBundle: Too long: may not be more than 1048576 bytes"),
    ],
)
def test_bundles(obj: dict[str, Any], text: str) -> None:
    assert [str(error) for error in STRATEGY.validate(obj, None)] == ([text] if text else [])


def test_what_was_taken_is_taken_again() -> None:
    odd = bundle(text="nothing")
    assert STRATEGY.validate(odd, odd) == []
    assert STRATEGY.validate(bundle("a.io:x:b", signer="a.io/x"), bundle("a.io:x:b")) != []


def test_hostile_texts_are_read_in_no_time() -> None:
    text = "-----BEGIN " * 90_000
    assert len(STRATEGY.validate(bundle(text=text), None)) == 1

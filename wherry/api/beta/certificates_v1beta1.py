"""certificates.k8s.io/v1beta1: trust bundles and pods' certificate requests, which are stored in it.

A request had its public key and the proof of possessing the private one as fields of their own before
it had a stub of a PKCS #10 request; v1 has only the latter.
"""

from __future__ import annotations

from wherry.api.beta.lifecycles import SINCE_1_33
from wherry.api.certificates.cluster_trust_bundles import CLUSTER_TRUST_BUNDLES as BUNDLES
from wherry.api.certificates.pod_certificate_requests import POD_CERTIFICATE_REQUESTS as REQUESTS
from wherry.api.certificates.pod_certificate_requests import from_v1beta1
from wherry.api.versions import Differences, earlier

_VERSION = "certificates.k8s.io/v1beta1"
_SCHEMA = "certificates.v1beta1"

CLUSTER_TRUST_BUNDLES = earlier(BUNDLES, _VERSION, SINCE_1_33, schema=_SCHEMA, is_current=True)
POD_CERTIFICATE_REQUESTS = earlier(
    REQUESTS,
    _VERSION,
    None,
    schema=_SCHEMA,
    differences=Differences(to_present=from_v1beta1),
    is_current=True,
)

"""What an unmodified kubectl makes of old documents, and that its usual views stay as they are."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.apiserver.rig import Rig, account
from tests.apiserver.test_kubectl import Kubectl
from wherry.api.core.service_accounts import SERVICE_ACCOUNTS

pytestmark = pytest.mark.slow

SEED = Path(__file__).parents[2] / "data" / "seed"
REFUSALS = {
    "pod-secrect": "error converting YAML to JSON: yaml: line 2: mapping values are not allowed",
    "secret-slashes": "error converting YAML to JSON: yaml: line 2: mapping values are not allowed",
    "service-full-width-colon": "error converting YAML to JSON: yaml: line 13: could not find expected ':'",
    "service-commas": 'no matches for kind "Service," in version "v1,"',
    "service-external-name-unindented": "resource name may not be empty",
}


async def test_old_documents(rig: Rig, tmp_path: Path) -> None:
    await rig.admin.create(SERVICE_ACCOUNTS, account())
    kubectl = Kubectl(rig, tmp_path)
    for _ in range(2):
        status, output = await kubectl("apply", "-f", str(SEED / "legal"))
        assert status == 0, output
        assert "ingress.extensions/test-ingress" in output
        assert "use networking.k8s.io/v1 Ingress" in output
    assert "deployment.extensions/nginx-ingress-controller-outside unchanged" in output
    for name, refusal in REFUSALS.items():
        status, output = await kubectl("apply", "-f", str(SEED / "illegal" / f"{name}.yaml"))
        assert status == 1
        assert refusal in output

    status, output = await kubectl("get", "all", "-A", "-o", "name")
    assert status == 0
    assert "Warning" not in output
    assert not [name for name, count in Counter(output.split()).items() if count > 1]
    assert "deployment.apps/nginx-ingress-controller-outside" in output
    for words in (("get", "deploy,rs,ds,sts,ing,netpol,pdb,cj"), ("get", "deployments,ingresses")):
        _, output = await kubectl(*words, "-A", "-o", "name")
        assert "Warning" not in output
        assert ".extensions" not in output
    _, output = await kubectl("get", "ingresses.v1beta1.extensions", "test-ingress", "-o", "yaml")
    assert "serviceName: test" in output

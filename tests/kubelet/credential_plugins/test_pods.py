"""A pod whose image is got with what a real plug-in said, for the pod's own account."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.kubelet.rig import node
from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.api.rbac.cluster_role_bindings import CLUSTER_ROLE_BINDINGS
from wherry.api.rbac.cluster_roles import CLUSTER_ROLES
from wherry.kubelet.credential_plugins.config import CredentialProvider, TokenAttributes
from wherry.kubelet.runtimes.images import Image

PRIVATE = "reg.example/private:1"
V1 = "credentialprovider.kubelet.k8s.io/v1"
BODY = f"""
import json, sys
asked = json.load(sys.stdin)
claims = asked["serviceAccountToken"].split(".")[1]
auth = {{"reg.example": {{"username": asked["serviceAccountAnnotations"]["team"], "password": claims[:4]}}}}
json.dump({{"kind": "CredentialProviderResponse", "apiVersion": "{V1}", "cacheKeyType": "Image",
           "cacheDuration": "0s", "auth": auth}}, sys.stdout)
"""


@pytest.mark.parametrize("is_allowed", [True, False])
async def test_a_pods_account_opens_a_registry(tmp_path: Path, is_allowed: bool) -> None:
    program = tmp_path / "plug"
    program.write_text(f"#!{sys.executable} -SE\n{BODY}")
    program.chmod(0o755)
    provider = CredentialProvider(
        name="plug",
        path=program,
        api_version=V1,
        match_images=("reg.example",),
        cache_s=0,
        token=TokenAttributes(audience="reg", requires_account=True, required=("team",)),
    )
    async with node(tmp_path, credential_providers=(provider,)) as made:
        made.runtime.pullable[PRIVATE] = Image("sha256:" + "d" * 64, (PRIVATE,), 7)
        await made.admin.patch(
            SERVICE_ACCOUNTS, "default", "default", {"metadata": {"annotations": {"team": "red"}}}
        )
        if is_allowed:
            verb = {
                "verbs": ["request-serviceaccounts-token-audience"],
                "apiGroups": [""],
                "resources": ["reg"],
            }
            group = "rbac.authorization.k8s.io"
            role = {"apiVersion": f"{group}/v1", "kind": "ClusterRole", "metadata": {"name": "aud"}}
            await made.admin.create(CLUSTER_ROLES, {**role, "rules": [verb]})
            await made.admin.create(
                CLUSTER_ROLE_BINDINGS,
                {
                    **role,
                    "kind": "ClusterRoleBinding",
                    "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "aud"},
                    "subjects": [{"apiGroup": group, "kind": "Group", "name": "system:nodes"}],
                },
            )
        await made.create("p", {"image": PRIVATE})
        await made.ready("p")
        (auth,) = made.runtime.auths
        assert auth == ({"username": "red", "password": "eyJh"} if is_allowed else None)
        (record,) = (made.config.root_dir / "image_manager/pulled").iterdir()
        access = json.loads(record.read_text())["credentialMapping"]["reg.example/private"]
        if is_allowed:
            assert access["kubernetesServiceAccounts"][0]["name"] == "default"
        else:
            assert access == {"nodePodsAccessible": True}

"""Stored values, whoever wrote them, in the form this server writes."""

from __future__ import annotations

import json

import pytest

from wherry.api import protobuf
from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.api.core.pods import PODS
from wherry.api.networking.ingresses import INGRESSES
from wherry.apiserver.stored import StoredForm
from wherry.objects.meta import Object

META = {"name": "a", "namespace": "n"}


def test_what_this_server_wrote_is_taken_as_it_is() -> None:
    value = b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"a":"b"}}'
    assert StoredForm(CONFIG_MAPS).of(value) is value


@pytest.mark.parametrize(
    "value",
    [
        b'{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a","namespace":"n"},"data":{"k":"v"}}\n',
        (
            b'{ "data": {"k": "v"}, "metadata": {"namespace": "n", "name": "a", "selfLink": "/x"},'
            b' "apiVersion": "v1", "kind": "ConfigMap" }'
        ),
        protobuf.encode({"apiVersion": "v1", "kind": "ConfigMap", "metadata": META, "data": {"k": "v"}}),
    ],
    ids=["go", "spread out", "protobuf"],
)
def test_other_arrangements(value: bytes) -> None:
    found = StoredForm(CONFIG_MAPS).of(value)
    assert found.startswith(b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{')
    assert json.loads(found)["data"] == {"k": "v"}
    assert "selfLink" not in json.loads(found)["metadata"]


def test_another_version_is_converted_and_completed() -> None:
    old: Object = {
        "kind": "Ingress",
        "apiVersion": "extensions/v1beta1",
        "metadata": META,
        "spec": {"backend": {"serviceName": "s", "servicePort": "http"}},
    }
    found = json.loads(StoredForm(INGRESSES).of(json.dumps(old).encode()))
    assert found["apiVersion"] == "networking.k8s.io/v1"
    assert found["spec"] == {"defaultBackend": {"service": {"name": "s", "port": {"name": "http"}}}}
    bare = {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": META,
        "spec": {"containers": [{"name": "c", "image": "x"}]},
    }
    pod = json.loads(StoredForm(PODS).of(json.dumps(bare).encode()))
    assert pod["spec"]["dnsPolicy"] == "ClusterFirst"


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        (b"", "zero-length"),
        (b"[1]", "a JSON object was expected"),
        (b'{"kind":"Pod","apiVersion":"v9","metadata":{}}', "nothing is known of Pod in v9"),
        (b'{"kind":"Pod","apiVersion":"apps/v1","metadata":{}}', "nothing is known of Pod in apps/v1"),
        (b'{"kind":"Pod","apiVersion":"v1","metadata":{},"spec":7}', "not as its kind should be"),
        (b"k8s\x00\xff\xff", "end inside a field"),
    ],
)
def test_what_nobody_can_read(value: bytes, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        StoredForm(PODS).of(value)

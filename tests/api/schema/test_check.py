"""Objects held against their types."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from wherry.api.schema import check, definition

POD = definition("io.k8s.api.core.v1.Pod")
PREFIX = "json: cannot unmarshal "
WHERE = " into Go struct field "


def pod(**spec: Any) -> dict[str, Any]:
    container = {
        "name": "c",
        "image": "i",
        "ports": [{"containerPort": 80, "protocol": "TCP"}],
        "resources": {"limits": {"cpu": "100m"}},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "creationTimestamp": "2026-01-01T00:00:00Z", "labels": {"a": "b"}},
        "spec": {"containers": [container], **spec},
    }


def test_a_right_object_is_clean_and_untouched() -> None:
    obj = pod(nodeSelector={"a": "b"}, restartPolicy="Always")
    before = copy.deepcopy(obj)
    assert not check(obj, POD)
    assert obj == before


def test_unknown_fields_are_named_and_dropped() -> None:
    obj = pod(foo=1)
    obj["spec"]["containers"][0]["bar"] = {"x": 1}
    found = check(obj, POD)
    assert set(found.unknown) == {'unknown field "spec.foo"', 'unknown field "spec.containers[0].bar"'}
    assert found.errors == ()
    assert obj == pod()


def test_nulls_are_absent() -> None:
    obj = pod(nodeName=None)
    obj["metadata"]["labels"] = None
    assert not check(obj, POD)
    assert "nodeName" not in obj["spec"]
    assert "labels" not in obj["metadata"]


def test_nulls_in_lists_and_maps_are_zero_values() -> None:
    obj = pod(nodeSelector={"a": None}, tolerations=[None])
    assert not check(obj, POD)
    assert obj["spec"]["nodeSelector"] == {"a": ""}
    assert obj["spec"]["tolerations"] == [{}]


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        ({"priority": "1"}, f"{PREFIX}string{WHERE}PodSpec.spec.priority of type int32"),
        ({"priority": 1.5}, f"{PREFIX}number 1.5{WHERE}PodSpec.spec.priority of type int32"),
        ({"priority": 1 << 31}, f"{PREFIX}number 2147483648{WHERE}PodSpec.spec.priority of type int32"),
        ({"priority": True}, f"{PREFIX}bool{WHERE}PodSpec.spec.priority of type int32"),
        (
            {"activeDeadlineSeconds": "x"},
            f"{PREFIX}string{WHERE}PodSpec.spec.activeDeadlineSeconds of type int64",
        ),
        ({"hostNetwork": "yes"}, f"{PREFIX}string{WHERE}PodSpec.spec.hostNetwork of type bool"),
        ({"nodeName": 1}, f"{PREFIX}number{WHERE}PodSpec.spec.nodeName of type string"),
        ({"volumes": {}}, f"{PREFIX}object{WHERE}PodSpec.spec.volumes of type []v1.Volume"),
        (
            {"securityContext": []},
            f"{PREFIX}array{WHERE}PodSpec.spec.securityContext of type v1.PodSecurityContext",
        ),
        ({"nodeSelector": "a"}, f"{PREFIX}string{WHERE}PodSpec.spec.nodeSelector of type map[string]string"),
        ({"nodeSelector": {"a": 1}}, f"{PREFIX}number{WHERE}PodSpec.spec.nodeSelector of type string"),
        (
            {"containers": [{"env": [{"name": "a", "value": 1}]}]},
            f"{PREFIX}number{WHERE}EnvVar.spec.containers.env.value of type string",
        ),
        (
            {"overhead": {"cpu": True}},
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        ),
        (
            {"containers": [{"livenessProbe": {"tcpSocket": {"port": True}}}]},
            "json: cannot unmarshal bool into Go value of type int32",
        ),
    ],
)
def test_type_errors(spec: dict[str, Any], error: str) -> None:
    assert check(pod(**spec), POD).errors == (error,)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (
            "yesterday",
            'parsing time "yesterday" as "2006-01-02T15:04:05Z07:00": cannot parse "yesterday" as "2006"',
        ),
        (
            "2026-01-02",
            'parsing time "2026-01-02" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "T"',
        ),
    ],
)
def test_unreadable_times(text: str, error: str) -> None:
    obj = pod()
    obj["metadata"]["creationTimestamp"] = text
    assert check(obj, POD).errors == (error,)


def test_quantities_and_times_are_spelt_canonically() -> None:
    obj = pod(overhead={"cpu": 0.5, "memory": "1024Mi"})
    obj["metadata"]["creationTimestamp"] = "2026-01-01T01:00:00.25+01:00"
    assert not check(obj, POD)
    assert obj["spec"]["overhead"] == {"cpu": "500m", "memory": "1Gi"}
    assert obj["metadata"]["creationTimestamp"] == "2026-01-01T00:00:00Z"


def test_micro_times() -> None:
    lease = definition("io.k8s.api.coordination.v1.Lease")
    obj = {"spec": {"renewTime": "2026-01-01T01:00:00.000000+01:00"}}
    assert not check(obj, lease)
    assert obj["spec"]["renewTime"] == "2026-01-01T00:00:00.000000Z"
    assert check({"spec": {"renewTime": "2026-01-01T00:00:00Z"}}, lease).errors == (
        (
            'parsing time "2026-01-01T00:00:00Z" as "2006-01-02T15:04:05.000000Z07:00": '
            'cannot parse "Z" as ".000000"'
        ),
    )


@pytest.mark.parametrize("time", ["9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59"])
def test_times_no_calendar_has_are_refused_in_words(time: str) -> None:
    managed = definition("io.k8s.apimachinery.pkg.apis.meta.v1.ManagedFieldsEntry")
    assert check({"time": time}, managed).errors == (f'parsing time "{time}": year out of range',)


def test_secrets_are_base64() -> None:
    secret = definition("io.k8s.api.core.v1.Secret")
    assert not check({"data": {"a": "YQ=="}}, secret)
    assert check({"data": {"a": "a b"}}, secret).errors == ("illegal base64 data at input byte 1",)
    wrapped = {"data": {"a": "YWJj\nZGVm"}}
    assert not check(wrapped, secret)
    assert wrapped["data"]["a"] == "YWJjZGVm"


def test_free_content_is_left_alone() -> None:
    revision = definition("io.k8s.api.apps.v1.ControllerRevision")
    obj = {"data": {"anything": [1, None, {"x": None}]}, "revision": 1}
    assert not check(obj, revision)
    assert obj["data"] == {"anything": [1, None, {"x": None}]}


def test_something_else_altogether() -> None:
    assert check([], POD).errors == ("json: cannot unmarshal array into Go value of type v1.Pod",)


def test_recursive_types_end() -> None:
    crd = definition("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition")
    schema = {"properties": {"a": {"properties": {"b": {"type": "string", "nope": 1}}}}}
    obj = {"spec": {"versions": [{"name": "v1", "schema": {"openAPIV3Schema": schema}}]}}
    assert check(obj, crd).unknown == (
        'unknown field "spec.versions[0].schema.openAPIV3Schema.properties.a.properties.b.nope"',
    )

"""Zero values, special types, kinds: what the JSON form of a message is."""

from __future__ import annotations

from typing import Any

import pytest

from wherry.api import protobuf
from wherry.api.catalog import BUILTIN
from wherry.api.protobuf.messages import Field, fields_of, message_names, message_of
from wherry.api.protobuf.special import encode_duration
from wherry.api.protobuf.special_read import format_duration, read_duration
from wherry.api.protobuf.wire import delimited, int32, int64, read_varint, varint

META = "k8s.io.apimachinery.pkg.apis.meta.v1"


def decoded(raw: bytes, api_version: str = "v1", kind: str = "Pod") -> dict[str, Any]:
    obj = protobuf.decode(protobuf.wrap(raw, api_version, kind))
    del obj["apiVersion"], obj["kind"]
    return obj


def there_and_back(api_version: str, kind: str, **fields: Any) -> dict[str, Any]:
    obj = protobuf.decode(protobuf.encode({"apiVersion": api_version, "kind": kind, **fields}))
    assert (obj.pop("apiVersion"), obj.pop("kind")) == (api_version, kind)
    return obj


def test_the_table_holds_what_it_was_made_from() -> None:
    by_name = {field.name: field for field in fields_of("k8s.io.api.core.v1.Container")}
    assert by_name["name"] == Field("name", 1, "string", "", False, True, False, False)
    assert by_name["image"] == Field("image", 2, "string", "", False, False, False, False)
    assert by_name["ports"] == Field(
        "ports", 6, "k8s.io.api.core.v1.ContainerPort", "list", False, False, False, False
    )
    volume = {field.name: field for field in fields_of("k8s.io.api.core.v1.Volume")}
    assert volume["VolumeSource"] == Field(
        "VolumeSource", 2, "k8s.io.api.core.v1.VolumeSource", "", True, True, False, False
    )
    labels = next(field for field in fields_of(f"{META}.ObjectMeta") if field.name == "labels")
    assert (labels.number, labels.type, labels.shape) == (11, "string", "map")


def test_every_message_refers_to_messages_there_are() -> None:
    known = set(message_names())
    for name in known:
        numbers = [field.number for field in fields_of(name)]
        assert len(set(numbers)) == len(numbers), name
        for field in fields_of(name):
            assert field.is_scalar or field.type in known, (name, field)


@pytest.mark.parametrize("resource", BUILTIN, ids=lambda r: f"{r.api_version}-{r.kind}")
def test_every_built_in_kind_has_a_message(resource: Any) -> None:
    assert protobuf.has_protobuf(resource.api_version, resource.kind)
    if "list" in resource.verbs:
        assert protobuf.has_protobuf(resource.api_version, resource.list_kind)


@pytest.mark.parametrize(
    ("api_version", "kind", "message"),
    [
        ("v1", "Status", f"{META}.Status"),
        ("v1", "DeleteOptions", f"{META}.DeleteOptions"),
        ("apps/v1", "DeleteOptions", f"{META}.DeleteOptions"),
        ("example.com/v1", "DeleteOptions", f"{META}.DeleteOptions"),
        ("autoscaling/v1", "Scale", "k8s.io.api.autoscaling.v1.Scale"),
        ("policy/v1", "Eviction", "k8s.io.api.policy.v1.Eviction"),
        ("v1", "Binding", "k8s.io.api.core.v1.Binding"),
        ("authentication.k8s.io/v1", "TokenRequest", "k8s.io.api.authentication.v1.TokenRequest"),
        ("meta.k8s.io/v1", "PartialObjectMetadata", f"{META}.PartialObjectMetadata"),
        ("meta.k8s.io/v1beta1", "PartialObjectMetadata", f"{META}.PartialObjectMetadata"),
        (
            "meta.k8s.io/v1beta1",
            "PartialObjectMetadataList",
            "k8s.io.apimachinery.pkg.apis.meta.v1beta1.PartialObjectMetadataList",
        ),
        ("meta.k8s.io/v1", "Table", ""),
        ("example.com/v1", "Widget", ""),
        ("example.com/v1", "Status", ""),
        ("gateway.networking.k8s.io/v1", "Ingress", ""),
        ("", "", ""),
    ],
)
def test_which_message_a_kind_is(api_version: str, kind: str, message: str) -> None:
    assert message_of(api_version, kind) == message


def test_zeros_of_pointers_stay_and_other_zeros_go() -> None:
    spec = {
        "replicas": 0,  # a pointer
        "minReadySeconds": 0,  # a number that is left out when zero
        "paused": False,
        "selector": {"matchLabels": {"a": ""}},
        "template": {
            "metadata": {},
            "spec": {
                "automountServiceAccountToken": False,  # a pointer
                "hostNetwork": False,
                "nodeName": "",
                "containers": [{"name": "", "image": "", "resources": {}}],
                "securityContext": {"runAsUser": 0},
                "volumes": [{"name": "v", "emptyDir": {}}],
            },
        },
    }
    assert there_and_back("apps/v1", "Deployment", spec=spec)["spec"] == {
        "replicas": 0,
        "selector": {"matchLabels": {"a": ""}},
        "template": {
            "metadata": {},
            "spec": {
                "automountServiceAccountToken": False,
                "containers": [{"name": "", "resources": {}}],
                "securityContext": {"runAsUser": 0},
                "volumes": [{"name": "v", "emptyDir": {}}],
            },
        },
    }


def test_a_storage_class_of_no_name_is_not_none() -> None:
    claim = there_and_back("v1", "PersistentVolumeClaim", spec={"storageClassName": "", "volumeName": ""})
    assert claim["spec"] == {"storageClassName": ""}


def test_what_go_always_writes_is_no_news() -> None:
    zero_meta = b"".join(delimited(number, b"") for number in (1, 2, 3, 4, 5, 6, 8)) + b"\x38\x00"
    zero_status = b"".join(delimited(number, b"") for number in (1, 3, 4, 5, 6, 9))
    raw = delimited(1, zero_meta) + delimited(2, b"") + delimited(3, zero_status)
    assert decoded(raw) == {"metadata": {}, "spec": {}, "status": {}}


def test_the_last_of_repeated_fields_counts_and_messages_merge() -> None:
    raw = delimited(1, delimited(1, b"a")) + delimited(1, delimited(1, b"b") + delimited(3, b"ns"))
    assert decoded(raw) == {"metadata": {"name": "b", "namespace": "ns"}}
    assert decoded(raw + delimited(1, delimited(1, b""))) == {"metadata": {"namespace": "ns"}}


def test_unknown_fields_are_stepped_over() -> None:
    unknown = b"\xf8\x07\x01" + b"\xf9\x07" + b"8" * 8 + b"\xfd\x07" + b"4" * 4 + delimited(1000, b"x" * 300)
    assert decoded(unknown + delimited(1, unknown + delimited(1, b"a"))) == {"metadata": {"name": "a"}}


def test_packed_numbers_are_understood() -> None:
    groups = delimited(4, varint(1) + varint(300))
    assert decoded(delimited(2, delimited(14, groups)))["spec"]["securityContext"] == {
        "supplementalGroups": [1, 300]
    }


def test_an_empty_list_has_items() -> None:
    (listed,) = protobuf.list_pieces("v1", "PodList", {"resourceVersion": "9"}, [], [], lambda: 1)
    assert protobuf.decode(listed) == {
        "apiVersion": "v1",
        "kind": "PodList",
        "metadata": {"resourceVersion": "9"},
        "items": [],
    }
    with pytest.raises(protobuf.ProtobufError):
        protobuf.list_pieces("v1", "Pod", {}, [], [], lambda: 1)


def test_a_long_list_comes_in_pieces() -> None:
    maps = [{"metadata": {"name": f"m{number}"}, "data": {"k": "x" * 700_000}} for number in range(4)]
    messages = [protobuf.encode_message(obj, "v1", "ConfigMap") for obj in maps]
    meta, sizes = {"resourceVersion": "9"}, [*map(len, messages)]
    pieces = list(protobuf.list_pieces("v1", "ConfigMapList", meta, sizes, iter(messages), lambda: 1 << 20))
    assert len(pieces) == 2
    assert protobuf.decode(b"".join(pieces))["items"] == maps


def test_secrets_are_base64_in_json_and_bytes_on_the_wire() -> None:
    obj = {"apiVersion": "v1", "kind": "Secret", "data": {"key": "AAH/", "empty": ""}}
    assert b"\x00\x01\xff" in protobuf.encode(obj)
    assert protobuf.decode(protobuf.encode(obj)) == obj


def test_the_names_of_json_are_used_where_go_has_others() -> None:
    hooks = [{"name": "a.b.c", "clientConfig": {"caBundle": "YQ=="}}]
    kind = ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration")
    assert there_and_back(*kind, webhooks=hooks)["webhooks"] == hooks
    assert there_and_back("v1", "Node", status={"daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}}}) == {
        "status": {"daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}}}
    }


@pytest.mark.parametrize("schema", [True, False, {"type": "string"}, {}])
def test_schemas_and_booleans(schema: Any) -> None:
    assert _schema(additionalProperties=schema) == {"additionalProperties": schema}


@pytest.mark.parametrize("items", [{"type": "string"}, [{"type": "string"}, {}]])
def test_schemas_and_lists(items: Any) -> None:
    assert _schema(items=items) == {"items": items}


@pytest.mark.parametrize("value", [0, False, "", [], {}, 1.5, {"a": [None]}])
def test_defaults_of_any_kind(value: Any) -> None:
    assert _schema(default=value, enum=[value, 1]) == {"default": value, "enum": [value, 1]}


@pytest.mark.parametrize(("maximum", "read"), [(10, 10), (10.0, 10), (0, 0), (0.5, 0.5), (1e300, 1e300)])
def test_numbers_of_schemas(maximum: float, read: float) -> None:
    found = _schema(maximum=maximum)["maximum"]
    assert (found, type(found)) == (read, type(read))


def _schema(**fields: Any) -> dict[str, Any]:
    versions = [{"name": "v1", "served": False, "storage": True, "schema": {"openAPIV3Schema": fields}}]
    kind = ("apiextensions.k8s.io/v1", "CustomResourceDefinition")
    version = there_and_back(*kind, spec={"versions": versions})["spec"]["versions"][0]
    assert (version["served"], version["storage"]) == (False, True)
    found: dict[str, Any] = version["schema"]["openAPIV3Schema"]
    return found


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"),
        ("2026-01-02T05:04:05+02:00", "2026-01-02T03:04:05Z"),
        ("1960-01-02T03:04:05Z", "1960-01-02T03:04:05Z"),
        ("0101-01-02T03:04:05Z", "0101-01-02T03:04:05Z"),
    ],
)
def test_times(sent: str, read: str) -> None:
    assert there_and_back("v1", "Pod", metadata={"creationTimestamp": sent})["metadata"] == {
        "creationTimestamp": read
    }
    micro = read.replace("Z", ".000000Z")
    assert there_and_back("coordination.k8s.io/v1", "Lease", spec={"renewTime": sent})["spec"] == {
        "renewTime": micro
    }


def test_nulls_are_absent() -> None:
    assert there_and_back("v1", "Pod", metadata={"creationTimestamp": None}, spec=None) == {"metadata": {}}


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("0s", 0),
        ("1ns", 1),
        ("1.5µs", 1500),
        ("20ms", 20_000_000),
        ("1m30s", 90 * 10**9),
        ("1h0m0.25s", 3600 * 10**9 + 250_000_000),
        ("-2m0s", -120 * 10**9),
    ],
)
def test_durations(text: str, nanoseconds: int) -> None:
    assert format_duration(nanoseconds) == text
    data = encode_duration(text)
    assert read_duration(data, 0, len(data), 0) == text


@pytest.mark.parametrize("text", ["", "1", "1x", "m", "1s x"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(protobuf.ProtobufError):
        encode_duration(text)


@pytest.mark.parametrize("number", [0, 1, 127, 128, 300, 2**31 - 1, -1, -(2**31), 2**63 - 1, -(2**63)])
def test_varints(number: int) -> None:
    data = varint(number)
    read, end = read_varint(data, 0)
    assert (int64(read), end) == (number, len(data))
    if abs(number) <= 2**31 - 1:
        assert int32(read) == number


def test_raw_objects_may_be_protobuf_themselves() -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}
    raw = delimited(2, delimited(1, protobuf.encode(pod))) + b"\x18\x07"
    assert decoded(raw, "apps/v1", "ControllerRevision") == {"data": pod, "revision": 7}


def test_an_object_without_a_type_is_taken_for_what_was_expected() -> None:
    data = b"k8s\x00" + delimited(2, delimited(1, delimited(1, b"a")))
    assert protobuf.decode(data, "v1", "Pod") == {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "a"},
    }
    with pytest.raises(protobuf.ProtobufError, match="has no protobuf form"):
        protobuf.decode(data)


def test_statuses() -> None:
    status = {
        "metadata": {},
        "status": "Failure",
        "message": 'pods "a" not found',
        "reason": "NotFound",
        "details": {"name": "a", "kind": "pods", "causes": [{"reason": "x", "field": "y"}]},
        "code": 404,
    }
    assert there_and_back("v1", "Status", **status) == status


def test_frames_are_read_one_after_the_other_and_only_whole() -> None:
    obj = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}
    frame = protobuf.encode_watch_frame("ADDED", protobuf.encode(obj))
    both = frame + protobuf.encode_watch_frame("DELETED", protobuf.encode(obj))
    assert protobuf.read_frame(both) == ("ADDED", obj, len(frame))
    assert protobuf.read_frame(both, len(frame)) == ("DELETED", obj, len(both))
    assert protobuf.read_frame(frame[:-1]) is None
    assert protobuf.read_frame(b"\x00") is None

"""The schema table as shapes."""

import pytest

from wherry.api.schema import Field, definition, definition_names, source
from wherry.objects.shape import Shape

CORE = "io.k8s.api.core.v1."


def walk(name: str, *path: str) -> Field:
    """The field at `path`; "[]" steps to a list's items, "*" to a map's values."""
    here: Field | None = None
    for step in path:
        if here is None:
            here = definition(name).field(step)
        else:
            here = here.items() if step == "[]" else here.field(step)
        assert here is not None, step
    assert here is not None
    return here


def test_definitions_are_decoded_once() -> None:
    assert definition(f"{CORE}Pod") is definition(f"{CORE}Pod")
    assert source(f"{CORE}Pod") is not source(f"{CORE}Pod")
    with pytest.raises(KeyError):
        definition("io.k8s.api.core.v1.Nothing")


def test_every_definition_reads_as_a_shape() -> None:
    for name in definition_names():
        shape: Shape = definition(name)
        assert shape.kind in {"scalar", "struct", "any"}
        for field in definition(name).fields().values():
            assert field.kind in {"scalar", "struct", "map", "list", "any"}
            assert (field.items() is not None) == (field.kind == "list")


def test_list_map_keys_are_required_or_have_a_default() -> None:
    for name in definition_names():
        for field in definition(name).fields().values():
            item = field.items()
            if field.list_type != "map" or item is None or item.definition is None:
                continue
            for key in field.list_map_keys:
                assert item.definition.field(key) is not None, (name, key)


@pytest.mark.parametrize(
    ("path", "kind", "type_"),
    [
        (("spec",), "struct", "object"),
        (("spec", "containers"), "list", "array"),
        (("spec", "containers", "[]"), "struct", "object"),
        (("spec", "containers", "[]", "name"), "scalar", "string"),
        (("spec", "containers", "[]", "resources", "limits"), "map", "object"),
        (("spec", "containers", "[]", "resources", "limits", "*"), "scalar", "quantity"),
        (("spec", "containers", "[]", "livenessProbe", "httpGet", "port"), "scalar", "int-or-string"),
        (("metadata", "creationTimestamp"), "scalar", "time"),
        (("metadata", "managedFields", "[]", "fieldsV1"), "any", "any"),
    ],
)
def test_kinds_and_types(path: tuple[str, ...], kind: str, type_: str) -> None:
    field = walk(f"{CORE}Pod", *path)
    assert (field.kind, field.type) == (kind, type_)


def test_what_patches_need_comes_through() -> None:
    containers = walk(f"{CORE}Pod", "spec", "containers")
    assert (containers.list_type, containers.list_map_keys) == ("map", ("name",))
    assert (containers.patch_strategies, containers.patch_merge_key) == (("merge",), "name")
    volumes = walk(f"{CORE}Pod", "spec", "volumes")
    assert volumes.patch_strategies == ("merge", "retainKeys")
    ports = walk(f"{CORE}Pod", "spec", "containers", "[]", "ports")
    assert ports.list_map_keys == ("containerPort", "protocol")
    assert ports.patch_merge_key == "containerPort"
    port = ports.items()
    assert port is not None
    assert port.default_of("protocol") == "TCP"
    assert port.default_of("name") is None
    assert walk(f"{CORE}Pod", "spec", "nodeSelector").is_atomic_map
    assert walk("io.k8s.api.apps.v1.Deployment", "spec", "selector").is_atomic_map
    assert not walk("io.k8s.api.apps.v1.Deployment", "spec", "template").is_atomic_map


def test_facts_of_fields() -> None:
    assert definition("io.k8s.api.apps.v1.DeploymentSpec").required == {"selector", "template"}
    assert walk("io.k8s.api.apps.v1.Deployment", "spec", "replicas").format == "int32"
    assert walk(f"{CORE}Service", "spec", "ports", "[]", "protocol").enum == ("SCTP", "TCP", "UDP")
    assert walk(f"{CORE}Service", "spec", "clusterIP").enum == ()
    assert walk(f"{CORE}Secret", "data", "*").format == "byte"

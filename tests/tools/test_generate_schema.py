"""The generated table is what the generator writes today."""

from tools import generate_schema


def test_the_table_is_current() -> None:
    current = generate_schema.TABLE.read_text(encoding="utf-8")
    assert current == generate_schema.render(), "run: python -m tools.generate_schema"


def test_unreleased_versions_come_only_when_referred_to() -> None:
    found = generate_schema.select(
        {
            "io.k8s.api.x.v1.A": {"properties": {"b": {"$ref": "#/$defs/io.k8s.api.x.v1alpha1.B"}}},
            "io.k8s.api.x.v1alpha1.B": {},
            "io.k8s.api.x.v1alpha2.C": {},
            "io.k8s.api.x.v1beta2.D": {},
        }
    )
    assert list(found) == ["io.k8s.api.x.v1.A", "io.k8s.api.x.v1alpha1.B", "io.k8s.api.x.v1beta2.D"]


def test_compact_drops_prose_and_null() -> None:
    node = {
        "description": "words",
        "type": ["string", "null"],
        "enum": ["b", None, "a"],
        "properties": {"description": {"type": ["integer", "null"], "description": "words"}},
    }
    assert generate_schema.compact("x", node) == {
        "type": "string",
        "enum": ["a", "b"],
        "properties": {"description": {"type": "integer"}},
    }

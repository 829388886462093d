"""The table of old versions is what its generator writes today, and says what was different then."""

from __future__ import annotations

import pytest

from tools import generate_legacy_schema
from wherry.api.schema import definition, definition_names


def test_the_generated_file_is_current() -> None:
    current = generate_legacy_schema.TABLE.read_text(encoding="utf-8")
    assert current == generate_legacy_schema.render(), "run: python -m tools.generate_legacy_schema"


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("extensions.v1beta1.IngressBackend", {"resource", "serviceName", "servicePort"}),
        ("networking.v1beta1.IngressSpec", {"backend", "ingressClassName", "rules", "tls"}),
        ("extensions.v1beta1.RollbackConfig", {"revision"}),
        ("apps.v1beta1.ScaleStatus", {"replicas", "selector", "targetSelector"}),
        ("batch.v1beta1.CronJobSpec", set(definition("io.k8s.api.batch.v1.CronJobSpec").fields())),
    ],
)
def test_fields(name: str, fields: set[str]) -> None:
    assert set(definition(f"io.k8s.api.{name}").fields()) == fields


def test_what_came_later_is_not_required() -> None:
    assert "selector" not in definition("io.k8s.api.extensions.v1beta1.DeploymentSpec").required
    assert "selector" in definition("io.k8s.api.apps.v1beta2.DeploymentSpec").required
    assert "pathType" not in definition("io.k8s.api.networking.v1beta1.HTTPIngressPath").required


def test_old_packages_refer_to_their_own_types() -> None:
    spec = definition("io.k8s.api.extensions.v1beta1.DeploymentSpec")
    strategy, template = spec.field("strategy"), spec.field("template")
    assert strategy is not None
    assert strategy.ref == "io.k8s.api.extensions.v1beta1.DeploymentStrategy"
    assert strategy.patch_strategies == ("retainKeys",)
    assert template is not None
    assert template.ref == "io.k8s.api.core.v1.PodTemplateSpec"


def test_every_reference_leads_somewhere() -> None:
    for name in definition_names():
        for field in definition(name).fields().values():
            assert not field.ref or definition(field.ref)

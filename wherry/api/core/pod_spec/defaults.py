"""What upstream fills in where a pod's author said nothing, in pods and in pod templates.

Some defaults belong to real pods alone (requests from limits, host ports, service links) and would
show as a change in every controller's template: these are in `default_pod_only`. Defaulting changes
the object in place and copies nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_CEILING, Context, Decimal, InvalidOperation
from typing import Any

from wherry.api.core.pod_spec.images import default_pull_policy
from wherry.api.core.pod_spec.pod_level import default_pod_level_resources
from wherry.api.core.pod_spec.volume_defaults import default_field_ref, default_volume
from wherry.kit.remembered import remembered
from wherry.objects.quantity import Quantity, canonical_quantity, format_quantity, parse_quantity

_MILLI = Decimal("0.001")
_WIDE = Context(prec=100)

Fields = dict[str, Any]


def default_pod_template(template: Fields) -> None:
    """Default a `PodTemplateSpec` in place."""
    default_pod_spec(template.setdefault("spec", {}))


def default_pod_spec(spec: Fields) -> None:
    """Default a `PodSpec` in place, with what holds for pods and templates alike."""
    if not spec.get("restartPolicy"):
        spec["restartPolicy"] = "Always"
    if not spec.get("dnsPolicy"):
        spec["dnsPolicy"] = "ClusterFirst"
    if spec.get("securityContext") is None:
        spec["securityContext"] = {}
    if spec.get("terminationGracePeriodSeconds") is None:
        spec["terminationGracePeriodSeconds"] = 30
    if not spec.get("schedulerName"):
        spec["schedulerName"] = "default-scheduler"
    # The two spellings of the account are one field; the newer one wins.
    if account := spec.get("serviceAccountName") or spec.get("serviceAccount"):
        spec["serviceAccountName"] = spec["serviceAccount"] = account
    for volume in spec.get("volumes") or ():
        default_volume(volume)
    for field in ("containers", "initContainers", "ephemeralContainers"):
        for container in spec.get(field) or ():
            default_container(container)
    if overhead := spec.get("overhead"):
        canonize(overhead)
    if resources := spec.get("resources"):
        default_resources(resources)


def default_pod_only(spec: Fields) -> None:
    """Default what only real pods get; call after `default_pod_spec`."""
    for container in _containers(spec):
        resources = container["resources"]
        if limits := resources.get("limits"):
            requests = resources.get("requests")
            resources["requests"] = {**limits, **(requests or {})}
    default_pod_level_resources(spec)
    if spec.get("enableServiceLinks") is None:
        spec["enableServiceLinks"] = True
    if spec.get("hostNetwork"):
        for container in _containers(spec):
            for port in container.get("ports") or ():
                if not port.get("hostPort") and port.get("containerPort"):
                    port["hostPort"] = port["containerPort"]


def _containers(spec: Fields) -> Iterable[Fields]:
    yield from spec.get("containers") or ()
    yield from spec.get("initContainers") or ()


def default_container(container: Fields) -> None:
    """Default one container of any kind in place."""
    if not container.get("imagePullPolicy"):
        container["imagePullPolicy"] = default_pull_policy(container.get("image") or "")
    if not container.get("terminationMessagePath"):
        container["terminationMessagePath"] = "/dev/termination-log"
    if not container.get("terminationMessagePolicy"):
        container["terminationMessagePolicy"] = "File"
    resources = container.setdefault("resources", {})
    if resources:
        default_resources(resources)
    for port in container.get("ports") or ():
        if not port.get("protocol"):
            port["protocol"] = "TCP"
    for variable in container.get("env") or ():
        if source := variable.get("valueFrom"):
            default_field_ref(source)
            if (file := source.get("fileKeyRef")) is not None:
                file.setdefault("optional", False)
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if (probe := container.get(name)) is not None:
            default_probe(probe)
    if lifecycle := container.get("lifecycle"):
        for name in ("postStart", "preStop"):
            if handler := lifecycle.get(name):
                _default_handler(handler)
    if (context := container.get("securityContext")) and context.get("procMount") == "":
        context["procMount"] = "Default"


def default_probe(probe: Fields) -> None:
    """Default one probe in place: every 10 s, within 1 s, one success, three failures."""
    for name, value in (
        ("timeoutSeconds", 1),
        ("periodSeconds", 10),
        ("successThreshold", 1),
        ("failureThreshold", 3),
    ):
        if not probe.get(name):
            probe[name] = value
    _default_handler(probe)
    if (grpc := probe.get("grpc")) is not None and grpc.get("service") is None:
        grpc["service"] = ""


def _default_handler(handler: Fields) -> None:
    if (http := handler.get("httpGet")) is not None:
        if not http.get("path"):
            http["path"] = "/"
        if not http.get("scheme"):
            http["scheme"] = "HTTP"


def default_resources(resources: Fields) -> None:
    """Spell the quantities of a `ResourceRequirements` canonically, in place."""
    for name in ("limits", "requests"):
        if quantities := resources.get(name):
            canonize(quantities)


def canonize(quantities: Fields) -> None:
    """Spell every quantity of a resource list canonically, in place."""
    for name, quantity in quantities.items():
        quantities[name] = canonical_amount(quantity)


@remembered(4096)
def canonical_amount(quantity: Quantity) -> Quantity:
    """A resource amount, canonical and rounded up to thousandths; unchanged if it is no quantity.

    What is no quantity is left for the decoder's and validation's complaints.
    """
    try:
        value = parse_quantity(quantity)
        thousandths = value.quantize(_MILLI, ROUND_CEILING, _WIDE)
        if thousandths != value:
            return format_quantity(thousandths)
        return canonical_quantity(quantity)
    except (ValueError, InvalidOperation):
        return quantity

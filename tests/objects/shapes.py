"""Shapes written by hand, so that the algorithms are tested without the schema tables."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class FakeShape:
    """A `Shape` whose facts are simply given."""

    kind: str = "scalar"
    list_type: str = ""
    list_map_keys: tuple[str, ...] = ()
    is_atomic_map: bool = False
    allows_unknown: bool = False
    patch_strategies: tuple[str, ...] = ()
    patch_merge_key: str = ""
    fields: dict[str, FakeShape] = field(default_factory=dict)
    element: FakeShape | None = None
    defaults: dict[str, object] = field(default_factory=dict)
    held: tuple[str, ...] = ()

    def field(self, name: str) -> FakeShape | None:
        return self.element if self.kind == "map" else self.fields.get(name)

    def items(self) -> FakeShape | None:
        return self.element

    def holds(self, name: str) -> bool:
        return name in self.held

    def default_of(self, name: str) -> object:
        return self.defaults.get(name)


SCALAR = FakeShape()
ANY = FakeShape("any")


def struct(
    strategies: tuple[str, ...] = (),
    defaults: dict[str, object] | None = None,
    held: tuple[str, ...] = (),
    **fields: FakeShape,
) -> FakeShape:
    return FakeShape("struct", fields=fields, patch_strategies=strategies, defaults=defaults or {}, held=held)


def mapping(element: FakeShape = SCALAR, atomic: bool = False) -> FakeShape:
    return FakeShape("map", element=element, is_atomic_map=atomic)


def atomic_list(element: FakeShape = SCALAR) -> FakeShape:
    return FakeShape("list", "atomic", element=element)


def set_list() -> FakeShape:
    return FakeShape("list", "set", patch_strategies=("merge",), element=SCALAR)


def map_list(element: FakeShape, *keys: str, merge_key: str = "") -> FakeShape:
    return FakeShape(
        "list",
        "map",
        list_map_keys=keys,
        patch_strategies=("merge",),
        patch_merge_key=merge_key or keys[0],
        element=element,
    )


PORT = struct(containerPort=SCALAR, protocol=SCALAR, name=SCALAR, defaults={"protocol": "TCP"})
ENV = struct(name=SCALAR, value=SCALAR, valueFrom=struct(path=SCALAR))
CONTAINER = struct(
    name=SCALAR,
    image=SCALAR,
    imagePullPolicy=SCALAR,
    command=atomic_list(),
    ports=map_list(PORT, "containerPort", "protocol"),
    env=map_list(ENV, "name"),
    resources=struct(limits=mapping(), requests=mapping()),
)
META = struct(
    name=SCALAR,
    namespace=SCALAR,
    labels=mapping(),
    annotations=mapping(),
    finalizers=set_list(),
    managedFields=atomic_list(ANY),
    resourceVersion=SCALAR,
    uid=SCALAR,
    creationTimestamp=SCALAR,
    generation=SCALAR,
)
POD_SPEC = struct(
    held=("containers",),
    containers=map_list(CONTAINER, "name"),
    nodeName=SCALAR,
    restartPolicy=SCALAR,
    tolerations=atomic_list(ANY),
    nodeSelector=mapping(atomic=True),
    volumes=map_list(struct(name=SCALAR, emptyDir=struct(medium=SCALAR)), "name"),
)
DEPLOYMENT = struct(
    held=("metadata", "spec", "status"),
    apiVersion=SCALAR,
    kind=SCALAR,
    metadata=META,
    spec=struct(
        held=("strategy", "template"),
        replicas=SCALAR,
        paused=SCALAR,
        selector=FakeShape("struct", is_atomic_map=True),
        strategy=struct(
            ("retainKeys",), type=SCALAR, rollingUpdate=struct(maxSurge=SCALAR, maxUnavailable=SCALAR)
        ),
        template=struct(held=("metadata", "spec"), metadata=META, spec=POD_SPEC),
        data=mapping(),
        blob=ANY,
    ),
    status=struct(replicas=SCALAR, observedGeneration=SCALAR),
)

"""One device of a ResourceSlice: what selectors and constraints see of it (`Device`).

Source: k8s.io/dynamic-resource-allocation/cel (the variable `device`), structured (attributes by their full
names).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from wherry.kit.remembered import Recent
from wherry.objects.cel import Budget, CelError
from wherry.objects.meta import Object, name_of
from wherry.scheduler.devices.places import Place
from wherry.scheduler.devices.steps import CHARACTERS_OF_A_STEP, COST_OF_A_STEP, Steps

if TYPE_CHECKING:
    from wherry.objects.cel.expression import Expression

SELECTOR_COST = 10_000
"""What one selector may cost on one device: a millisecond, and fifteen where each unit is a dear call.

Upstream's CELSelectorExpressionMaxCost is 1,000,000, which are seconds here; what is written for devices
costs some hundred.
"""
MOST_SELECTORS = 64
"""So many answers are remembered for one device."""
_LISTS = {"bools": "bool", "ints": "int", "strings": "string", "versions": "version"}


_compiled: Recent[str, Expression] = Recent(512 * 1024)
"""Selectors, so many characters of them: each comes to some 200 bytes."""


def _compile(source: str) -> Expression:
    """A selector to be evaluated. Raises CelError with all mistakes."""
    from wherry.objects.cel.checker import Environment  # loads the library
    from wherry.objects.cel.expression import compile_checked

    found = compile_checked(source, Environment(binds=True))
    _compiled.put(source, found, len(source))
    return found


class DeviceId(NamedTuple):
    """What tells a device apart from all others."""

    driver: str
    pool: str
    name: str

    def __str__(self) -> str:
        return f"{self.driver}/{self.pool}/{self.name}"


class Domains(dict[str, Any]):
    """Attributes or capacities by domain and name; a domain nobody uses is empty, not missing."""

    def __missing__(self, key: str) -> dict[str, Any]:
        return {}


class Device:
    """A device as its slice describes it. `matches` remembers what selectors said of it."""

    __slots__ = ("_values", "_variables", "id", "matches", "slice", "spec")

    def __init__(self, id_: DeviceId, spec: Object, slice_: Slice) -> None:
        self.id = id_
        self.spec = spec
        self.slice = slice_
        self.matches: dict[str, bool | str] = {}
        self._variables: dict[str, Any] | None = None
        self._values: dict[str, frozenset[tuple[str, Any]] | None] = {}

    @property
    def is_shared(self) -> bool:
        """Whether it may be allocated many times, in portions."""
        return bool(self.spec.get("allowMultipleAllocations"))

    @property
    def place(self) -> Mapping[str, Any]:
        """What says on which nodes it can be used: the device or its slice."""
        return self.spec if self.slice.is_per_device else self.slice.spec

    def values_of(self, attribute: str) -> frozenset[tuple[str, Any]] | None:
        """The values of an attribute (a fully qualified name), each with its type; None without it."""
        if attribute not in self._values:
            self._values[attribute] = self._looked_up(attribute)
        return self._values[attribute]

    def _looked_up(self, attribute: str) -> frozenset[tuple[str, Any]] | None:
        attributes = self.spec.get("attributes") or {}
        found = attributes.get(attribute)
        domain, _, bare = attribute.partition("/")
        if found is None and domain == self.id.driver:
            found = attributes.get(bare)
        if not found:
            return None
        ((kind, value),) = found.items()
        if kind in _LISTS:
            return frozenset((_LISTS[kind], item) for item in value)
        return frozenset({(kind, value)})

    def matched_by(self, source: str, steps: Steps) -> bool:
        """Whether a selector chooses the device: evaluated once. Raises CelError and OutOfSteps."""
        known = self.matches.get(source)
        if known is None:
            if len(self.matches) >= MOST_SELECTORS:
                del self.matches[next(iter(self.matches))]
            budget, characters = Budget(SELECTOR_COST), 0
            try:
                expression = _compiled.get(source)
                if expression is None:
                    characters = len(source)
                    expression = _compile(source)
                if self._variables is None:
                    self._variables = {"device": self._seen()}
                known = expression.evaluate(self._variables, budget) is True
            except CelError as error:
                known = str(error)
            self.matches[source] = known
            if isinstance(known, str):
                raise CelError(known)  # the search ends with it
            steps.learned(10 + budget.spent // COST_OF_A_STEP + characters // CHARACTERS_OF_A_STEP)
        if isinstance(known, str):
            raise CelError(known)
        return known

    def _seen(self) -> dict[str, Any]:
        from wherry.objects.cel.library.quantities import quantity_value  # loads the library
        from wherry.objects.cel.library.versions import version_value

        attributes, capacity = Domains(), Domains()
        for name, holder in (self.spec.get("attributes") or {}).items():
            for kind, value in holder.items():
                if kind == "version":
                    seen: Any = version_value(value)
                elif kind == "versions":
                    seen = [version_value(item) for item in value]
                else:
                    seen = value
                self._put(attributes, name, seen)
        for name, holder in (self.spec.get("capacity") or {}).items():
            self._put(capacity, name, quantity_value(str(holder.get("value") or "0")))
        return {
            "driver": self.id.driver,
            "attributes": attributes,
            "capacity": capacity,
            "allowMultipleAllocations": self.is_shared,
        }

    def _put(self, domains: Domains, name: str, value: Any) -> None:
        domain, slash, bare = name.rpartition("/")
        domains.setdefault(domain if slash else self.id.driver, {})[bare] = value


class Slice:
    """A ResourceSlice, its devices read; those that name their node are found by it."""

    __slots__ = ("devices", "everywhere", "generation", "name", "node", "on_node", "places", "pool", "spec")

    def __init__(self, obj: Object, before: Slice | None = None) -> None:
        spec: Mapping[str, Any] = obj.get("spec") or {}
        pool = spec.get("pool") or {}
        self.name = name_of(obj)
        self.spec = spec
        self.node: str = spec.get("nodeName") or ""
        self.pool = (spec.get("driver") or "", pool.get("name") or "")
        self.generation: int = pool.get("generation") or 0
        self.devices = [
            Device(DeviceId(*self.pool, device.get("name") or ""), device, self)
            for device in spec.get("devices") or ()
        ]
        self.on_node: dict[str, list[Device]] = {}
        self.everywhere: list[tuple[Device, Place]] = []
        """Those that do not name a node, where each says where it can be used."""
        self.places: dict[bytes, Place] = {}
        """Where it, or one of its devices, can be used, but for nodes that are named; each once."""
        if self.is_per_device:
            for device in self.devices:
                if node := device.spec.get("nodeName"):
                    self.on_node.setdefault(node, []).append(device)
                else:
                    place = Place(device.spec)
                    place = self.places.setdefault(place.key, place)
                    self.everywhere.append((device, place))
        elif not self.node:
            place = Place(spec)
            self.places[place.key] = place
        if before is not None and before.pool == self.pool:
            self._take_over(before)

    def _take_over(self, before: Slice) -> None:
        """What selectors said of devices holds as long as these stay as they are."""
        known = {device.id: device for device in before.devices}
        for device in self.devices:
            same = known.get(device.id)
            if same is not None and same.spec == device.spec:
                device.matches = same.matches

    @property
    def is_per_device(self) -> bool:
        """Whether each device says for itself where it can be used."""
        return bool(self.spec.get("perDeviceNodeSelection"))

"""What claims ask for, read for the allocator: requests with their classes, constraints (`Wanted`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from wherry.api.dynamicresources.claims import ALL
from wherry.objects.meta import Object, key_of


@dataclass(frozen=True, slots=True)
class Request:
    """One request, or an alternative of one (`parent` is the request's name then).

    `selectors` are the expressions of class and request, each with what errors call its origin.
    """

    name: str
    parent: str
    class_name: str
    device_class: Object
    selectors: tuple[tuple[str, str], ...]
    takes_all: bool
    count: int
    is_admin: bool
    tolerations: tuple[Mapping[str, Any], ...]
    capacity: Mapping[str, Any]
    rank: int = 0
    """Which alternative of its request it is: the first is 0."""

    @property
    def full_name(self) -> str:
        """As results and constraints name it."""
        return f"{self.parent}/{self.name}" if self.parent else self.name

    @property
    def names(self) -> tuple[str, ...]:
        """The names a constraint may mean it by."""
        return (self.parent, self.full_name) if self.parent else (self.name,)


@dataclass(frozen=True, slots=True)
class Constraint:
    """All devices of some requests (none named: of all) have a value in common, or none."""

    attribute: str
    is_distinct: bool
    requests: frozenset[str]

    def concerns(self, request: Request) -> bool:
        """Whether devices of this request are held to it."""
        return not self.requests or not self.requests.isdisjoint(request.names)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A claim without devices. Each of `requests` is its alternatives, one for a request without any."""

    key: str
    claim: Object
    requests: tuple[tuple[Request, ...], ...]
    constraints: tuple[Constraint, ...]


def class_names(claim: Object) -> Iterator[tuple[str, str]]:
    """(request, class) of all requests and alternatives of a claim."""
    for request, parent, part in _parts(claim):
        yield (f"{parent}/{request}" if parent else request), part.get("deviceClassName") or ""


def read_claim(claim: Object, classes: Mapping[str, Object]) -> Wanted:
    """What a claim wants, its classes known to be there. Raises KeyError for a class that is not."""
    devices = (claim.get("spec") or {}).get("devices") or {}
    found: list[tuple[Request, ...]] = []
    for entry in devices.get("requests") or ():
        parts = [part for part in _parts(claim) if entry.get("name") in (part[1] or part[0],)]
        found.append(tuple(_request(claim, *part, classes, rank) for rank, part in enumerate(parts)))
    constraints = tuple(
        Constraint(
            entry.get("matchAttribute") or entry.get("distinctAttribute") or "",
            is_distinct=not entry.get("matchAttribute"),
            requests=frozenset(entry.get("requests") or ()),
        )
        for entry in devices.get("constraints") or ()
    )
    return Wanted(key_of(claim), claim, tuple(found), constraints)


def _parts(claim: Object) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """(name, name of the request it is an alternative of, what it asks for)."""
    for request in ((claim.get("spec") or {}).get("devices") or {}).get("requests") or ():
        name = request.get("name") or ""
        if request.get("exactly") is not None:
            yield name, "", request["exactly"]
        for part in request.get("firstAvailable") or ():
            yield part.get("name") or "", name, part


def _request(
    claim: Object,
    name: str,
    parent: str,
    part: Mapping[str, Any],
    classes: Mapping[str, Object],
    rank: int,
) -> Request:
    class_name = part.get("deviceClassName") or ""
    device_class = classes[class_name]
    of_class = (device_class.get("spec") or {}).get("selectors") or ()
    return Request(
        name=name,
        parent=parent,
        class_name=class_name,
        device_class=device_class,
        selectors=(
            *_sources(of_class, f"class {class_name}"),
            *_sources(part.get("selectors") or (), f"claim {key_of(claim)}"),
        ),
        takes_all=part.get("allocationMode") == ALL,
        count=part.get("count") or 1,
        is_admin=bool(part.get("adminAccess")),
        tolerations=tuple(part.get("tolerations") or ()),
        capacity=(part.get("capacity") or {}).get("requests") or {},
        rank=rank,
    )


def _sources(selectors: Any, origin: str) -> Iterator[tuple[str, str]]:
    for index, selector in enumerate(selectors):
        yield (selector.get("cel") or {}).get("expression") or "", f"{origin}: selector #{index}"

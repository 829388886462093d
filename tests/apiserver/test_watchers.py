"""Who an event concerns is found by what the object has, not by what all watchers ask."""

from __future__ import annotations

from typing import ClassVar

from wherry.api.core.pods import PODS
from wherry.apiserver.cached import CachedEvent, Facts
from wherry.apiserver.encoding import encode_stored
from wherry.apiserver.watchers import LABEL, Watchers
from wherry.store.base import Entry


class Asked(str):
    """A label that counts how often one of its kind is looked up anywhere."""

    __slots__ = ()
    times: ClassVar[int] = 0

    def __hash__(self) -> int:
        Asked.times += 1
        return str.__hash__(self)


def event(labels: dict[str, str]) -> CachedEvent:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "namespace": "ns", "labels": labels},
    }
    entry = Entry(PODS.key("ns", "p"), encode_stored(pod), 2, 2)
    return CachedEvent("ADDED", Facts(PODS, lambda _item, _more: False).cached(entry), None)


def test_an_event_costs_what_its_object_has_however_many_labels_are_watched() -> None:
    watchers, told = Watchers(), list[int]()
    for number in range(1000):
        scope = ("ns", LABEL, Asked(f"k{number}"), "v")
        watchers.add(scope, None, lambda _events, number=number: told.append(number), None)  # type: ignore[misc]
    change = event({"k7": "v", "k8": "other", "elsewhere": "v"})
    before = Asked.times
    watchers.publish([change])
    assert told == [7]
    assert Asked.times - before < 10


def test_an_object_of_many_labels_costs_what_is_watched() -> None:
    watchers, told = Watchers(), list[str]()
    watchers.add(("", LABEL, "k7", "v"), None, lambda _events: told.append("k7"), None)
    watchers.publish([event({f"k{number}": "v" for number in range(1000)})])
    assert told == ["k7"]

"""All nodes as columns (`NodeTable`), so that one NumPy operation answers a question for every node at once.

A row is a node. Free rows are kept at the end: removing a node moves the last row into its place,
so the columns stay dense. What repeats over nodes (taints, label values) is interned to small
numbers, and a plugin decides once per distinct value, not once per node.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from wherry.objects.meta import Object, labels_of, name_of
from wherry.objects.quantity import parse_quantity
from wherry.scheduler.facts import LARGEST_AMOUNT, HostPort, PodFacts
from wherry.scheduler.interned import ABSENT, Bools, Interned, Ints

FIELD_PREFIX = "field:"
"""Sets fields apart from labels among the label columns; no label key has a colon."""
_FIRST_CAPACITY = 8
NOT_YET: Object = {}
"""Stands for the node of a row that was just made."""


class NodeTable:
    """Capacity, use, labels, taints and ports of every node, by row."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.objects: list[Object] = []
        """The nodes as they were last told to `set_node`."""
        self._names_now: tuple[str, ...] | None = None
        self.row_of: dict[str, int] = {}
        self.allocatable: dict[str, Ints] = {}
        self.requested: dict[str, Ints] = {}
        self.capacity = _FIRST_CAPACITY
        """How many rows the columns have; those past the last node are zero."""
        self.pod_count = self._ints()
        self.score_cpu = self._ints()
        self.score_memory = self._ints()
        self.unschedulable: Bools = np.zeros(self.capacity, dtype=np.bool_)
        self.taints = Interned(self.capacity)
        self.labels: dict[str, Interned] = {}
        self.labels_version = 0
        """Another one whenever rows came or went, or labels on them changed."""
        self._label_keys: list[set[str]] = []
        """Which labels each row has."""
        self.pods: list[dict[str, PodFacts]] = []
        self.port_users: dict[tuple[str, int], dict[int, list[str]]] = {}
        """(protocol, port) -> row -> host addresses in use there."""
        self.images: dict[str, dict[int, int]] = {}
        """Name of an image -> row -> its size there, in bytes."""
        self._images_of: list[tuple[str, ...]] = []
        """The names of each row's images."""

    def __len__(self) -> int:
        return len(self.names)

    @property
    def names_now(self) -> tuple[str, ...]:
        """The names by row, to be kept."""
        if self._names_now is None:
            self._names_now = tuple(self.names)
        return self._names_now

    def column(self, values: Ints) -> Ints:
        """The rows in use of a column."""
        return values[: len(self.names)]

    def resource(self, kind: Mapping[str, Ints], name: str) -> Ints:
        """One resource's column of `allocatable` or `requested`; zeros when no node has it."""
        found = kind.get(name)
        return np.zeros(len(self), dtype=np.int64) if found is None else found[: len(self)]

    def label_codes(self, key: str) -> tuple[Ints, Interned] | None:
        """A label's column and its interned values; None when no node ever had the label."""
        interned = self.labels.get(key)
        return None if interned is None else (interned.codes[: len(self)], interned)

    def set_node(self, node: Object) -> None:
        """Add a node, or take over what changed about it; its pods stay accounted."""
        row = self.row_of.get(name_of(node))
        if row is None:
            row = self._new_row(name_of(node))
        if self.objects[row] is NOT_YET or labels_of(self.objects[row]) != labels_of(node):
            self.labels_version += 1
        self.objects[row] = node
        spec, status = node.get("spec") or {}, node.get("status") or {}
        allocatable = status.get("allocatable") or status.get("capacity") or {}
        for name in {**self.allocatable, **allocatable}:
            amount = parse_quantity(allocatable[name]) if name in allocatable else 0
            units = math.floor(amount * 1000) if name == "cpu" else math.floor(amount)
            self._ensure(self.allocatable, name)[row] = min(units, LARGEST_AMOUNT)
        self.unschedulable[row] = bool(spec.get("unschedulable"))
        self.taints.set(row, _frozen_taints(spec.get("taints") or ()))
        labels = {**labels_of(node), f"{FIELD_PREFIX}metadata.name": name_of(node)}
        for key in self._label_keys[row] - labels.keys():
            self._set_label(row, key, None)
        for key, value in labels.items():
            self._set_label(row, key, value)
        self._set_images(row, status.get("images") or ())

    def remove_node(self, name: str) -> None:
        """Forget a node, from whose account all pods were taken. The last row moves into its place."""
        row = self.row_of.pop(name)
        self._names_now = None
        self.labels_version += 1
        last = len(self.names) - 1
        if row != last:
            self._move(last, row)
        self._clear(last)
        self.names.pop()
        self.objects.pop()
        self.pods.pop()
        self._label_keys.pop()
        self._images_of.pop()

    def add_pod(self, row: int, pod: PodFacts) -> None:
        """Account a pod to a node that does not have it."""
        self.pods[row][pod.uid] = pod
        self._account(row, pod, 1)

    def remove_pod(self, row: int, pod: PodFacts) -> None:
        """Take a pod off the account of the node that has it."""
        del self.pods[row][pod.uid]
        self._account(row, pod, -1)

    def _account(self, row: int, pod: PodFacts, sign: int) -> None:
        template = pod.template
        for name, amount in template.requests.items():
            self._ensure(self.requested, name)[row] += sign * amount
        self.pod_count[row] += sign
        self.score_cpu[row] += sign * template.score_requests.get("cpu", 0)
        self.score_memory[row] += sign * template.score_requests.get("memory", 0)
        for port in template.host_ports:
            self._account_port(row, port, sign)

    def _set_images(self, row: int, images: Any) -> None:
        for name in self._images_of[row]:
            rows = self.images[name]
            rows.pop(row, None)
            if not rows:
                del self.images[name]
        names: dict[str, None] = {}
        for image in images:
            for name in image.get("names") or ():
                self.images.setdefault(name, {})[row] = image.get("sizeBytes") or 0
                names[name] = None
        self._images_of[row] = tuple(names)

    def _account_port(self, row: int, port: HostPort, sign: int) -> None:
        address, protocol, number = port
        users = self.port_users.setdefault((protocol, number), {})
        if sign > 0:
            users.setdefault(row, []).append(address)
            return
        users[row].remove(address)
        if not users[row]:
            del users[row]
        if not users:
            del self.port_users[protocol, number]

    def _new_row(self, name: str) -> int:
        row = len(self.names)
        if row == self.capacity:
            self._grow()
        self._names_now = None
        self.names.append(name)
        self.objects.append(NOT_YET)
        self.pods.append({})
        self._label_keys.append(set())
        self._images_of.append(())
        self.row_of[name] = row
        return row

    def _move(self, source: int, target: int) -> None:
        for column in self._columns():
            column[target] = column[source]
        self.taints.move(source, target)
        for key in self._label_keys[target] - self._label_keys[source]:
            self._set_label(target, key, None)
        for key in self._label_keys[source]:
            self.labels[key].move(source, target)
        self._label_keys[target], self._label_keys[source] = self._label_keys[source], set()
        self.names[target], self.pods[target] = self.names[source], self.pods[source]
        self.objects[target] = self.objects[source]
        self.row_of[self.names[target]] = target
        for users in self.port_users.values():
            if source in users:
                users[target] = users.pop(source)
        for image in self._images_of[target]:
            self.images[image].pop(target, None)
        for image in self._images_of[source]:
            self.images[image][target] = self.images[image].pop(source)
        self._images_of[target], self._images_of[source] = self._images_of[source], ()

    def _clear(self, row: int) -> None:
        for values in (*self.allocatable.values(), *self.requested.values()):
            values[row] = 0
        for values in (self.pod_count, self.score_cpu, self.score_memory):
            values[row] = 0
        self.unschedulable[row] = False
        self.taints.set(row, None)
        self._set_images(row, ())
        for key in list(self._label_keys[row]):
            self._set_label(row, key, None)

    def _set_label(self, row: int, key: str, value: str | None) -> None:
        """Set or (None) take away a label of a row; a label no row has any more has no column."""
        interned = self.labels.get(key)
        if interned is None:
            interned = self.labels[key] = Interned(self.capacity)
        interned.set(row, value)
        if value is not None:
            self._label_keys[row].add(key)
        else:
            self._label_keys[row].discard(key)
            if interned.is_empty:
                del self.labels[key]

    def _columns(self) -> list[npt.NDArray[Any]]:
        """All but the interned ones."""
        return [
            *self.allocatable.values(),
            *self.requested.values(),
            self.pod_count,
            self.score_cpu,
            self.score_memory,
            self.unschedulable,
        ]

    def _grow(self) -> None:
        self.capacity *= 2
        for kind in (self.allocatable, self.requested):
            for name, values in kind.items():
                kind[name] = _longer(values, self.capacity, 0)
        self.pod_count = _longer(self.pod_count, self.capacity, 0)
        self.score_cpu = _longer(self.score_cpu, self.capacity, 0)
        self.score_memory = _longer(self.score_memory, self.capacity, 0)
        self.unschedulable = _longer(self.unschedulable, self.capacity, False)
        for interned in (self.taints, *self.labels.values()):
            interned.codes = _longer(interned.codes, self.capacity, ABSENT)

    def _ensure(self, kind: dict[str, Ints], name: str) -> Ints:
        if name not in kind:
            kind[name] = self._ints()
        return kind[name]

    def _ints(self) -> Ints:
        return np.zeros(self.capacity, dtype=np.int64)


def _longer(values: npt.NDArray[Any], capacity: int, fill: Any) -> npt.NDArray[Any]:
    grown = np.full(capacity, fill, dtype=values.dtype)
    grown[: len(values)] = values
    return grown


def _frozen_taints(taints: Any) -> tuple[tuple[str, str, str], ...]:
    """Taints as a hashable value: (key, value, effect) each."""
    return tuple((taint["key"], taint.get("value") or "", taint["effect"]) for taint in taints)

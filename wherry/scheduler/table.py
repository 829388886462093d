"""All nodes as columns, so that one NumPy operation answers a question for every node at once.

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
from wherry.scheduler.facts import HostPort, PodFacts

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

ABSENT = -1
"""The code of a missing value: as an index it means the last element."""
FIELD_PREFIX = "field:"
"""Sets fields apart from labels among the label columns; no label key has a colon."""
_FIRST_CAPACITY = 8


class Interned:
    """A column of hashable values stored as codes; `values[code]` gives one back.

    A value no row has any more is forgotten: its code is free (None in `values`) until a new value takes it,
    so the column is as large as the values in it, not as all that ever were.
    """

    def __init__(self, capacity: int) -> None:
        self.codes: Ints = np.full(capacity, ABSENT, dtype=np.int64)
        self.values: list[Any] = []
        self._uses: list[int] = []
        self._free: list[int] = []
        self._code_of: dict[Any, int] = {}

    @property
    def is_empty(self) -> bool:
        """Whether no row has a value."""
        return not self._code_of

    def set(self, row: int, value: Any) -> None:
        """Put `value` in a row; None means absent."""
        before = int(self.codes[row])
        code = ABSENT if value is None else self._taken_code(value)
        self.codes[row] = code
        if before != ABSENT:
            self._release(before)

    def move(self, source: int, target: int) -> None:
        """Put the value of the row `source` into `target`, and nothing into `source`."""
        self.set(target, None)
        self.codes[target], self.codes[source] = self.codes[source], ABSENT

    def known_code(self, value: Any) -> int:
        """The code of a value; one that no row can have if no row has the value."""
        return self._code_of.get(value, ABSENT - 1)

    def _taken_code(self, value: Any) -> int:
        code = self._code_of.get(value)
        if code is None:
            if self._free:
                code = self._free.pop()
                self.values[code] = value
            else:
                code = len(self.values)
                self.values.append(value)
                self._uses.append(0)
            self._code_of[value] = code
        self._uses[code] += 1
        return code

    def _release(self, code: int) -> None:
        self._uses[code] -= 1
        if self._uses[code] == 0:
            del self._code_of[self.values[code]]
            self.values[code] = None
            self._free.append(code)


class NodeTable:
    """Capacity, use, labels, taints and ports of every node, by row."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.row_of: dict[str, int] = {}
        self.allocatable: dict[str, Ints] = {}
        self.requested: dict[str, Ints] = {}
        self._capacity = _FIRST_CAPACITY
        self.pod_count = self._ints()
        self.score_cpu = self._ints()
        self.score_memory = self._ints()
        self.unschedulable: Bools = np.zeros(self._capacity, dtype=np.bool_)
        self.taints = Interned(self._capacity)
        self.labels: dict[str, Interned] = {}
        self._label_keys: list[set[str]] = []
        """Which labels each row has."""
        self.pods: list[dict[str, PodFacts]] = []
        self.port_users: dict[tuple[str, int], dict[int, list[str]]] = {}
        """(protocol, port) -> row -> host addresses in use there."""

    def __len__(self) -> int:
        return len(self.names)

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
        spec, status = node.get("spec") or {}, node.get("status") or {}
        allocatable = status.get("allocatable") or status.get("capacity") or {}
        for name in {*self.allocatable, *allocatable}:
            amount = parse_quantity(allocatable[name]) if name in allocatable else 0
            units = math.floor(amount * 1000) if name == "cpu" else math.floor(amount)
            self._ensure(self.allocatable, name)[row] = units
        self.unschedulable[row] = bool(spec.get("unschedulable"))
        self.taints.set(row, _frozen_taints(spec.get("taints") or ()))
        labels = {**labels_of(node), f"{FIELD_PREFIX}metadata.name": name_of(node)}
        for key in self._label_keys[row] - labels.keys():
            self._set_label(row, key, None)
        for key, value in labels.items():
            self._set_label(row, key, value)

    def remove_node(self, name: str) -> list[PodFacts]:
        """Forget a node; the pods that were accounted to it."""
        row = self.row_of.pop(name, None)
        if row is None:
            return []
        pods = list(self.pods[row].values())
        for pod in pods:
            self._account(row, pod, -1)
        last = len(self.names) - 1
        if row != last:
            self._move(last, row)
        self._clear(last)
        self.names.pop()
        self.pods.pop()
        self._label_keys.pop()
        return pods

    def add_pod(self, name: str, pod: PodFacts) -> bool:
        """Account a pod to a node; False when the node is unknown (yet)."""
        row = self.row_of.get(name)
        if row is None:
            return False
        self.remove_pod(name, pod.uid)
        self.pods[row][pod.uid] = pod
        self._account(row, pod, 1)
        return True

    def remove_pod(self, name: str, uid: str) -> None:
        """Take a pod off a node's account, if it is on it."""
        row = self.row_of.get(name)
        pod = self.pods[row].pop(uid, None) if row is not None else None
        if row is not None and pod is not None:
            self._account(row, pod, -1)

    def _account(self, row: int, pod: PodFacts, sign: int) -> None:
        for name, amount in pod.requests.items():
            self._ensure(self.requested, name)[row] += sign * amount
        self.pod_count[row] += sign
        self.score_cpu[row] += sign * pod.score_cpu
        self.score_memory[row] += sign * pod.score_memory
        for port in pod.host_ports:
            self._account_port(row, port, sign)

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
        if row == self._capacity:
            self._grow()
        self.names.append(name)
        self.pods.append({})
        self._label_keys.append(set())
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
        self.row_of[self.names[target]] = target
        for users in self.port_users.values():
            if source in users:
                users[target] = users.pop(source)

    def _clear(self, row: int) -> None:
        for values in (*self.allocatable.values(), *self.requested.values()):
            values[row] = 0
        for values in (self.pod_count, self.score_cpu, self.score_memory):
            values[row] = 0
        self.unschedulable[row] = False
        self.taints.set(row, None)
        for key in list(self._label_keys[row]):
            self._set_label(row, key, None)

    def _set_label(self, row: int, key: str, value: str | None) -> None:
        """Set or (None) take away a label of a row; a label no row has any more has no column."""
        interned = self.labels.get(key)
        if interned is None:
            interned = self.labels[key] = Interned(self._capacity)
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
        self._capacity *= 2
        for kind in (self.allocatable, self.requested):
            for name, values in kind.items():
                kind[name] = _longer(values, self._capacity, 0)
        self.pod_count = _longer(self.pod_count, self._capacity, 0)
        self.score_cpu = _longer(self.score_cpu, self._capacity, 0)
        self.score_memory = _longer(self.score_memory, self._capacity, 0)
        self.unschedulable = _longer(self.unschedulable, self._capacity, False)
        for interned in (self.taints, *self.labels.values()):
            interned.codes = _longer(interned.codes, self._capacity, ABSENT)

    def _ensure(self, kind: dict[str, Ints], name: str) -> Ints:
        if name not in kind:
            kind[name] = self._ints()
        return kind[name]

    def _ints(self) -> Ints:
        return np.zeros(self._capacity, dtype=np.int64)


def _longer(values: npt.NDArray[Any], capacity: int, fill: Any) -> npt.NDArray[Any]:
    grown = np.full(capacity, fill, dtype=values.dtype)
    grown[: len(values)] = values
    return grown


def _frozen_taints(taints: Any) -> tuple[tuple[str, str, str], ...]:
    """Taints as a hashable value: (key, value, effect) each."""
    return tuple((taint["key"], taint.get("value") or "", taint["effect"]) for taint in taints)

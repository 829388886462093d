"""The node table keeps its accounts through any order of adding and removing."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.scheduler.builders import facts, node, table
from wherry.scheduler.table import ABSENT

NAMES = st.sampled_from([f"n{i}" for i in range(12)])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), NAMES), max_size=40))
def test_rows_stay_dense_and_accounts_right(steps: list[tuple[bool, str]]) -> None:
    nodes = table()
    model: dict[str, int] = {}
    for number, (add, name) in enumerate(steps):
        if add:
            nodes.set_node(node(name, labels={"own": name}))
            model.setdefault(name, 0)
            nodes.add_pod(name, facts(f"p{number}", requests={"cpu": "100m"}, port=1000 + number))
            model[name] += 1
        else:
            nodes.remove_node(name)
            model.pop(name, None)
    assert len(nodes) == len(model)
    for name, pods in model.items():
        row = nodes.row_of[name]
        assert nodes.names[row] == name
        assert nodes.pod_count[row] == pods
        assert nodes.requested["cpu"][row] == 100 * pods
        interned = nodes.labels["own"]
        assert interned.values[interned.codes[row]] == name
    assert sum(len(rows) for rows in nodes.port_users.values()) == sum(model.values())


def test_a_pod_is_accounted_once() -> None:
    nodes = table(node("a"))
    pod = facts(requests={"cpu": "1"})
    assert nodes.add_pod("a", pod)
    assert nodes.add_pod("a", pod)
    assert nodes.requested["cpu"][0] == 1000
    nodes.remove_pod("a", pod.uid)
    assert nodes.requested["cpu"][0] == 0
    assert not nodes.add_pod("unknown", pod)


def test_values_and_labels_nobody_has_any_more_are_forgotten() -> None:
    """Names come and go with nodes: the columns stay as small as what is in them."""
    nodes = table(node("stays", labels={"zone": "a"}))
    for number in range(200):
        taint = {"key": f"t{number}", "effect": "NoSchedule"}
        nodes.set_node(node(f"n{number}", labels={f"label-{number}": "x", "zone": "b"}, taints=[taint]))
        nodes.set_node(node(f"n{number}", labels={f"other-{number}": "x"}))
        nodes.remove_node(f"n{number}")
    assert set(nodes.labels) == {"zone", "field:metadata.name"}
    assert all(len(interned.values) <= 2 for interned in (nodes.taints, *nodes.labels.values()))
    found = nodes.label_codes("zone")
    assert found is not None
    codes, zones = found
    assert [zones.values[code] for code in codes] == ["a"]
    assert zones.known_code("b") == ABSENT - 1

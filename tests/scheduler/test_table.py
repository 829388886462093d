"""The node table keeps its accounts through any order of adding and removing."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.scheduler.builders import facts, node, table

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

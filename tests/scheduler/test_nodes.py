"""The node table keeps its accounts through any order of adding and removing."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.scheduler.builders import facts, node, world
from wherry.objects.selectors import from_map
from wherry.scheduler.interned import ABSENT
from wherry.scheduler.pods import Question

NAMES = st.sampled_from([f"n{i}" for i in range(12)])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), NAMES), max_size=40))
def test_rows_stay_dense_and_accounts_right(steps: list[tuple[bool, str]]) -> None:
    where = world()
    everybody = Question(((None, from_map({"app": "x"})),))
    where.pods.count(everybody)
    model: dict[str, int] = {}
    for number, (add, name) in enumerate(steps):
        if add:
            where.set_node(
                node(name, labels={"own": name}, images=[{"names": [f"i-{name}"], "sizeBytes": 1}])
            )
            model.setdefault(name, 0)
            pod = facts(f"p{number}", requests={"cpu": "100m"}, port=1000 + number, labels={"app": "x"})
            where.place(pod, name)
            model[name] += 1
        else:
            where.remove_node(name)
            for uid in [uid for uid, placement in where.placed.items() if placement.node == name]:
                where.displace(uid)
            model.pop(name, None)
    nodes = where.nodes
    assert len(nodes) == len(model)
    for name, pods in model.items():
        row = nodes.row_of[name]
        assert nodes.names[row] == name
        assert nodes.pod_count[row] == pods
        assert nodes.requested["cpu"][row] == 100 * pods
        assert where.pods.count(everybody)[row] == pods
        assert nodes.images[f"i-{name}"] == {row: 1}
        interned = nodes.labels["own"]
        assert interned.values[interned.codes[row]] == name
    assert sum(len(rows) for rows in nodes.port_users.values()) == sum(model.values())
    assert not where._homeless


def test_a_pod_is_accounted_once() -> None:
    where = world(node("a"))
    pod = facts(requests={"cpu": "1"})
    where.place(pod, "a")
    where.place(pod, "a")
    assert where.nodes.requested["cpu"][0] == 1000
    where.displace(pod.uid)
    assert where.nodes.requested["cpu"][0] == 0


def test_pods_are_counted_when_their_node_comes_and_comes_again() -> None:
    where = world()
    where.place(facts(requests={"cpu": "1"}), "a")
    where.set_node(node("a"))
    assert where.nodes.requested["cpu"][0] == 1000
    where.remove_node("a")
    where.set_node(node("b"))
    where.set_node(node("a"))
    assert [int(cpu) for cpu in where.nodes.requested["cpu"][:2]] == [0, 1000]


def test_values_and_labels_nobody_has_any_more_are_forgotten() -> None:
    """Names come and go with nodes: the columns stay as small as what is in them."""
    where = world(node("stays", labels={"zone": "a"}))
    nodes = where.nodes
    for number in range(200):
        taint = {"key": f"t{number}", "effect": "NoSchedule"}
        where.set_node(node(f"n{number}", labels={f"label-{number}": "x", "zone": "b"}, taints=[taint]))
        where.set_node(node(f"n{number}", labels={f"other-{number}": "x"}))
        where.remove_node(f"n{number}")
    assert set(nodes.labels) == {"zone", "field:metadata.name"}
    assert all(len(interned.values) <= 2 for interned in (nodes.taints, *nodes.labels.values()))
    found = nodes.label_codes("zone")
    assert found is not None
    codes, zones = found
    assert [zones.values[code] for code in codes] == ["a"]
    assert zones.known_code("b") == ABSENT - 1


def test_pods_that_ask_for_the_same_share_a_template_in_whatever_order_they_say_it() -> None:
    one = facts("one", requests={"cpu": "1", "memory": "1Gi"}, labels={"a": "1", "b": "2"})
    other = facts("other", requests={"memory": "1Gi", "cpu": "1"}, labels={"b": "2", "a": "1"})
    assert one.template is other.template
    where = world(node("a"))
    where.place(one, "a", is_assumed=True)
    where.place(facts("one", requests={"memory": "1Gi", "cpu": "1"}, labels={"b": "2", "a": "1"}), "a")
    assert where.moment == 1, "that it is confirmed changes nothing"

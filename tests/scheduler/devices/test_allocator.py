"""Which devices a claim gets on a node, and which it does not."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import permutations
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.growth.meter import steps_of
from tests.scheduler.devices.builders import (
    DRIVER,
    claim,
    device,
    device_class,
    first_of,
    request,
    resource_slice,
)
from wherry.objects.meta import Object, key_of, name_of
from wherry.scheduler.devices.allocator import (
    AllocationError,
    BrokenSelector,
    find_devices,
)
from wherry.scheduler.devices.inventory import Inventory
from wherry.scheduler.devices.results import allocation
from wherry.scheduler.devices.steps import OutOfSteps, Steps
from wherry.scheduler.devices.wanted import read_claim

NODE = "n"
SEEDS = st.integers(0, 1 << 30)


def stock(*objects: Object) -> Inventory:
    """An inventory of slices and rules, with the class `gpu`."""
    found = Inventory()
    found.set_class("gpu", device_class())
    for obj in objects:
        put(found, obj)
    return found


def put(inventory: Inventory, obj: Object) -> None:
    """Have an inventory take over an object."""
    match obj["kind"]:
        case "DeviceClass":
            inventory.set_class(name_of(obj), obj)
        case "ResourceSlice":
            inventory.set_slice(name_of(obj), obj)
        case "DeviceTaintRule":
            inventory.set_rule(name_of(obj), obj)


def found_for(inventory: Inventory, *wanted: Object, node: str = NODE, steps: int = 10_000) -> Any:
    """The names of the devices of each claim, None if there are none."""
    read = [read_claim(one, inventory.classes) for one in wanted]
    given = find_devices(inventory, read, node, lambda place: place.is_everywhere, Steps(steps))
    return None if given is None else [[one.device.id.name for one in own] for own in given]


def allocated(inventory: Inventory, wanted: Object, node: str = NODE) -> Object:
    """The claim with its allocation, which counts from here on."""
    read = read_claim(wanted, inventory.classes)
    given = find_devices(inventory, [read], node, lambda place: place.is_everywhere, Steps(10_000))
    assert given is not None
    ids = [inventory.new_share_id() for _ in given[0]]
    full = {**wanted, "status": {"allocation": allocation(read, given[0], node, ids)}}
    inventory.set_claim(key_of(full), full)
    return full


GPUS = [device("a"), device("b", "t4", "16Gi"), device("c", "a100", "40Gi")]


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ("", ["a"]),
        (f"device.attributes['{DRIVER}'].model == 't4'", ["b"]),
        (f"device.capacity['{DRIVER}'].memory.compareTo(quantity('40Gi')) <= 0", ["b"]),
        (f"device.capacity['{DRIVER}'].memory.isLessThan(quantity('20Gi'))", ["b"]),
        (f"'{DRIVER}' in device.attributes && !('x.example.com' in device.attributes)", ["a"]),
        ("has(device.attributes['x.example.com'].y)", None),
        (f"cel.bind(d, device.attributes['{DRIVER}'], d.model == 't4')", ["b"]),
        ("!device.allowMultipleAllocations", ["a"]),
    ],
)
def test_selectors(expression: str, names: list[str] | None) -> None:
    inventory = stock(resource_slice("s", GPUS, NODE))
    found = found_for(inventory, claim("c", request("gpu", expression)))
    assert found == (None if names is None else [names])


def test_versions_are_compared_as_such() -> None:
    old, new = ({"attributes": {"driverVersion": {"version": v}}} for v in ("1.9.0", "1.10.0"))
    inventory = stock(resource_slice("s", [{"name": "old", **old}, {"name": "new", **new}], NODE))
    wants = f"device.attributes['{DRIVER}'].driverVersion.isGreaterThan(semver('1.9.5'))"
    assert found_for(inventory, claim("c", request("gpu", wants))) == [["new"]]


def test_a_selector_that_cannot_be_evaluated_is_told() -> None:
    inventory = stock(resource_slice("s", GPUS, NODE))
    with pytest.raises(BrokenSelector) as told:
        found_for(inventory, claim("c", request("gpu", "device.attributes['x.example.com'].y == 1")))
    where = f"claim default/c: selector #0 on device {DRIVER}/s/a"
    assert str(told.value) == f"{where}: CEL runtime error: no such key: y"


@pytest.mark.parametrize(
    ("requests", "names"),
    [
        ([request("x", count=2)], ["a", "b"]),
        ([request("x", count=4)], None),
        ([request("x"), request("y")], ["a", "b"]),
        ([request("x", allocationMode="All")], ["a", "b", "c"]),
        ([request("x", allocationMode="All"), request("y")], None),
        ([first_of("x", request("many", count=4), request("one"))], ["a"]),
        ([first_of("x", request("many", count=4), request("more", count=5))], None),
        # The first alternative leaves nothing to the second request.
        ([first_of("x", request("all", count=3), request("two", count=2)), request("y")], ["a", "b", "c"]),
        # A device that was taken first is given to another request.
        (
            [request("x"), request("y", f"device.attributes['{DRIVER}'].model == 'a100'", count=2)],
            ["b", "a", "c"],
        ),
        ([], []),
    ],
    ids=str,
)
def test_requests(requests: list[Object], names: list[str] | None) -> None:
    wanted = claim("c", *requests)
    wanted["spec"]["devices"]["requests"] = requests
    found = found_for(stock(resource_slice("s", GPUS, NODE)), wanted)
    assert found == (None if names is None else [names])


def test_claims_of_one_pod_do_not_get_the_same_device() -> None:
    inventory = stock(resource_slice("s", GPUS, NODE))
    assert found_for(inventory, claim("x", request(count=2)), claim("y")) == [["a", "b"], ["c"]]
    assert found_for(inventory, claim("x", request(count=2)), claim("y", request(count=2))) is None


def test_what_is_allocated_is_not_allocated_again_but_administrators_see_it() -> None:
    inventory = stock(resource_slice("s", GPUS[:1], NODE))
    first = allocated(inventory, claim("first"))
    assert found_for(inventory, claim("second")) is None
    watched = allocated(inventory, claim("admin", request(adminAccess=True)))
    assert watched["status"]["allocation"]["devices"]["results"][0]["adminAccess"] is True
    inventory.set_claim(key_of(first), None)
    assert found_for(inventory, claim("second")) == [["a"]], "the administrator is not in the way"


def test_a_promise_counts_until_it_is_written_or_given_back() -> None:
    inventory = stock(resource_slice("s", GPUS[:1], NODE))
    result = {"request": "gpu", "driver": DRIVER, "pool": "s", "device": "a"}
    inventory.promise("default/first", claim("first"), "pod", {"devices": {"results": [result]}})
    assert found_for(inventory, claim("second")) is None
    inventory.release(["default/first"], "another")
    assert found_for(inventory, claim("second")) is None
    inventory.release(["default/first"], "pod")
    assert found_for(inventory, claim("second")) == [["a"]]
    inventory.promise("default/first", claim("first"), "pod", {"devices": {"results": [result]}})
    inventory.set_claim(
        "default/first", {**claim("first"), "status": {"allocation": {"devices": {"results": [result]}}}}
    )
    assert not inventory.pending
    inventory.set_claim("default/first", claim("first"))
    assert found_for(inventory, claim("second")) == [["a"]]


# Pools.


@pytest.mark.parametrize(
    ("place", "seen"),
    [({"nodeName": NODE}, True), ({"nodeName": "other"}, False), ({"allNodes": True}, True)],
)
def test_where_slices_are(place: Object, seen: bool) -> None:
    found = found_for(stock(resource_slice("s", GPUS, **place)), claim())
    assert (found is not None) == seen


def test_devices_that_place_themselves() -> None:
    devices = [device("a", nodeName="other"), device("b", nodeName=NODE), device("c", allNodes=True)]
    inventory = stock(resource_slice("s", devices, perDeviceNodeSelection=True))
    assert found_for(inventory, claim("c", request(allocationMode="All"))) == [["b", "c"]]
    given = allocated(inventory, claim("c", request(count=2)))
    terms = given["status"]["allocation"]["nodeSelector"]["nodeSelectorTerms"]
    assert terms == [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": [NODE]}]}]


def pooled(name: str, generation: int, count: int, *names: str) -> Object:
    pool = {"name": "p", "generation": generation, "resourceSliceCount": count}
    return resource_slice(name, [device(one) for one in names], NODE, pool=pool)


@pytest.mark.parametrize(
    ("slices", "names"),
    [
        ([pooled("old", 1, 1, "a"), pooled("new", 2, 1, "b")], ["b"]),
        ([pooled("one", 1, 2, "a"), pooled("two", 1, 2, "b")], ["a", "b"]),
        ([pooled("one", 1, 2, "a")], None),
        ([pooled("old", 1, 1, "a"), pooled("new", 2, 2, "b")], None),
    ],
    ids=["newest", "both", "one is missing", "half new"],
)
def test_pools(slices: list[Object], names: list[str] | None) -> None:
    count = len(names or "x")
    found = found_for(stock(*slices), claim("c", request(count=count)))
    assert found == (None if names is None else [names])


def test_all_waits_for_a_pool_that_is_being_updated() -> None:
    with pytest.raises(AllocationError) as told:
        found_for(stock(pooled("one", 1, 2, "a")), claim("c", request(allocationMode="All")))
    pool = f"resource pool {DRIVER}/p is currently being updated"
    assert str(told.value) == f"claim default/c, request gpu: asks for all devices, but {pool}"


# Constraints, taints, counters.


def numa(name: str, node: int, **more: Any) -> Object:
    return {"name": name, "attributes": {"numa.example.com/node": {"int": node}, **more}}


@pytest.mark.parametrize(
    ("constraint", "names"),
    [
        ({"matchAttribute": "numa.example.com/node"}, ["b", "c"]),
        ({"distinctAttribute": "numa.example.com/node"}, ["a", "b"]),
        ({"matchAttribute": "numa.example.com/node", "requests": ["x"]}, ["a", "b"]),
        ({"matchAttribute": "absent.example.com/node"}, None),
    ],
    ids=str,
)
def test_constraints(constraint: Object, names: list[str] | None) -> None:
    inventory = stock(resource_slice("s", [numa("a", 0), numa("b", 1), numa("c", 1)], NODE))
    found = found_for(inventory, claim("c", request("x"), request("y"), constraints=[constraint]))
    assert found == (None if names is None else [names])


def test_lists_match_where_they_have_something_in_common() -> None:
    roots = [
        {"name": name, "attributes": {"pci.example.com/roots": {"strings": own}}}
        for name, own in (("a", ["p"]), ("b", ["p", "q"]), ("c", ["q"]))
    ]
    inventory = stock(resource_slice("s", roots, NODE))
    matching = [{"matchAttribute": "pci.example.com/roots"}]
    distinct = [{"distinctAttribute": "pci.example.com/roots"}]
    assert found_for(inventory, claim("c", request(count=3), constraints=matching)) is None
    assert found_for(inventory, claim("c", request(count=2), constraints=distinct)) == [["a", "c"]]


def test_an_attribute_of_the_driver_may_leave_the_driver_out() -> None:
    inventory = stock(resource_slice("s", GPUS, NODE))
    same = [{"matchAttribute": f"{DRIVER}/model"}]
    assert found_for(inventory, claim("c", request(count=2), constraints=same)) == [["a", "c"]]


TAINT = {"key": "broken", "value": "yes", "effect": "NoSchedule"}


@pytest.mark.parametrize(
    ("taint", "tolerations", "is_given"),
    [
        (TAINT, [], False),
        ({**TAINT, "effect": "NoExecute"}, [], False),
        ({**TAINT, "effect": "None"}, [], True),
        (TAINT, [{"key": "broken", "operator": "Exists"}], True),
        (TAINT, [{"key": "broken", "operator": "Equal", "value": "yes", "effect": "NoSchedule"}], True),
        (TAINT, [{"key": "broken", "operator": "Equal", "value": "no"}], False),
    ],
    ids=str,
)
@pytest.mark.parametrize("by_rule", [False, True])
def test_taints(taint: Object, tolerations: list[Object], is_given: bool, by_rule: bool) -> None:
    taints: Any = {} if by_rule else {"taints": [taint]}
    objects = [resource_slice("s", [device("a", **taints)], NODE)]
    if by_rule:
        spec = {"deviceSelector": {"pool": "s"}, "taint": taint}
        objects.append({"kind": "DeviceTaintRule", "metadata": {"name": "r"}, "spec": spec})
    found = found_for(stock(*objects), claim("c", request(tolerations=tolerations)))
    assert (found is not None) == is_given


def test_rules_about_other_devices_cost_nothing() -> None:
    def rules(count: int) -> Inventory:
        return stock(
            resource_slice("s", GPUS, NODE),
            *(
                {
                    "kind": "DeviceTaintRule",
                    "metadata": {"name": f"r{number}"},
                    "spec": {"deviceSelector": {"pool": f"other-{number}"}, "taint": TAINT},
                }
                for number in range(count)
            ),
        )

    found_for(rules(1), claim())
    few, many = (steps_of(partial(found_for, rules(count), claim()))[0] for count in (40, 160))
    assert many <= few + 5


def test_a_rule_that_changes_or_goes_is_not_held_against_what_it_meant() -> None:
    inventory = stock(resource_slice("s", [device("a")], NODE))
    spec = {"deviceSelector": {"pool": "s"}, "taint": TAINT}
    inventory.set_rule("r", {"kind": "DeviceTaintRule", "metadata": {"name": "r"}, "spec": spec})
    assert found_for(inventory, claim()) is None
    other = {**spec, "deviceSelector": {"pool": "other"}}
    inventory.set_rule("r", {"kind": "DeviceTaintRule", "metadata": {"name": "r"}, "spec": other})
    assert found_for(inventory, claim()) == [["a"]]
    inventory.set_rule("r", {"kind": "DeviceTaintRule", "metadata": {"name": "r"}, "spec": spec})
    inventory.set_rule("r", None)
    assert found_for(inventory, claim()) == [["a"]]


def partition(name: str, memory: str) -> Object:
    consumes = [{"counterSet": "card", "counters": {"memory": {"value": memory}}}]
    return {"name": name, "consumesCounters": consumes}


def test_partitions_share_counters() -> None:
    pool = {"name": "p", "generation": 1, "resourceSliceCount": 2}
    counters = [{"name": "card", "counters": {"memory": {"value": "40Gi"}}}]
    parts = [partition("whole", "40Gi"), partition("half-0", "20Gi"), partition("half-1", "20Gi")]
    inventory = stock(
        resource_slice("counters", [], NODE, pool=pool, sharedCounters=counters),
        resource_slice("parts", parts, NODE, pool=pool),
    )
    assert found_for(inventory, claim("c", request(count=2))) == [["half-0", "half-1"]]
    assert found_for(inventory, claim("c", request(count=3))) is None
    allocated(inventory, claim("first", request(count=1)))
    assert found_for(inventory, claim("second")) is None, "the whole card is taken"


def consuming(**counters: str) -> Object:
    """A device that consumes of the set `card`."""
    consumes = {
        "counterSet": "card",
        "counters": {name: {"value": value} for name, value in counters.items()},
    }
    return device("a", consumesCounters=[consumes])


CARD = {"name": "card", "counters": {"memory": {"value": "40Gi"}}}


@pytest.mark.parametrize(
    ("devices", "counter_sets", "why"),
    [
        ([device("a"), device("a")], [], "duplicate device name a"),
        ([consuming(memory="1Gi")], [CARD, CARD], "duplicate counter set name card"),
        ([consuming(memory="1Gi")], [{**CARD, "name": "other"}], "counter set card not found"),
        (
            [device("b"), consuming(memory="1Gi", cores="1")],
            [CARD],
            "counter cores not found in counter set card",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_nothing_is_had_from_a_pool_that_contradicts_itself(
    devices: list[Object], counter_sets: list[Object], why: str
) -> None:
    pool = {"name": "p", "generation": 1, "resourceSliceCount": 2}
    slices = [
        resource_slice("counters", [], NODE, pool=pool, sharedCounters=counter_sets),
        resource_slice("devices", devices, NODE, pool=pool),
    ]
    with pytest.raises(AllocationError) as told:
        found_for(stock(*slices), claim("c"))
    assert str(told.value) == f"pool p is invalid: {why}"
    with pytest.raises(AllocationError) as told:
        found_for(stock(*slices), claim("c", request(allocationMode="All")))
    text = f"asks for all devices, but resource pool {DRIVER}/p is currently invalid"
    assert str(told.value) == f"claim default/c, request gpu: {text}"
    sound = resource_slice("sound", [device("good")], NODE)
    assert found_for(stock(*slices, sound), claim("c")) == [["good"]], "what is sound is had all the same"
    update = {**slices[1], "spec": {**slices[1]["spec"], "pool": {**pool, "generation": 2}}}
    assert found_for(stock(slices[0], update), claim("c")) is None, "its driver is at work: nobody is blamed"


# Portions.


def shared(**policy: Any) -> Object:
    capacity = {"value": "40Gi", **({"requestPolicy": policy} if policy else {})}
    return {"name": "nic", "allowMultipleAllocations": True, "capacity": {"bandwidth": capacity}}


def portion(amount: str) -> Object:
    return request(capacity={"requests": {"bandwidth": amount}})


@pytest.mark.parametrize(
    ("policy", "asked", "consumed"),
    [
        ({}, portion("10Gi"), "10Gi"),
        ({}, request(), "40Gi"),
        ({}, portion("50Gi"), None),
        ({"default": "1Gi"}, request(), "1Gi"),
        ({"default": "1Gi", "validValues": ["1Gi", "8Gi"]}, portion("2Gi"), "8Gi"),
        ({"default": "1Gi", "validValues": ["1Gi", "8Gi"]}, portion("9Gi"), None),
        ({"default": "1Gi", "validRange": {"min": "1Gi", "step": "4Gi"}}, portion("2Gi"), 5 << 30),
        ({"default": "1Gi", "validRange": {"min": "2Gi"}}, portion("1Gi"), "2Gi"),
        ({"default": "1Gi", "validRange": {"min": "1Gi", "max": "4Gi"}}, portion("5Gi"), None),
    ],
    ids=str,
)
def test_portions(policy: Object, asked: Object, consumed: str | int | None) -> None:
    inventory = stock(resource_slice("s", [shared(**policy)], NODE))
    if consumed is None:
        assert found_for(inventory, claim("c", asked)) is None
        return
    (result,) = allocated(inventory, claim("c", asked))["status"]["allocation"]["devices"]["results"]
    assert result["consumedCapacity"] == {"bandwidth": str(consumed)}
    assert len(result["shareID"]) == 36


def test_many_share_a_device_until_it_is_used_up() -> None:
    inventory = stock(resource_slice("s", [shared()], NODE))
    first = allocated(inventory, claim("first", portion("30Gi")))
    assert found_for(inventory, claim("second", portion("20Gi"))) is None
    assert found_for(inventory, claim("second", portion("10Gi"))) == [["nic"]]
    assert found_for(inventory, claim("c", {**portion("5Gi")}, {**portion("5Gi"), "name": "y"})) == [
        ["nic"] * 2
    ]
    assert found_for(inventory, claim("c", portion("6Gi"), {**portion("5Gi"), "name": "y"})) is None
    inventory.set_claim(key_of(first), None)
    assert found_for(inventory, claim("second", portion("40Gi"))) == [["nic"]]


def test_a_device_without_what_is_asked_for_is_passed_over() -> None:
    inventory = stock(resource_slice("s", [device("a"), shared()], NODE))
    assert found_for(inventory, claim("c", portion("1Gi"))) == [["nic"]]


# Results and bounds.


def test_configuration_comes_from_classes_and_claims() -> None:
    opaque = {"opaque": {"driver": DRIVER, "parameters": {"a": 1}}}
    inventory = stock(device_class(config=[opaque]), resource_slice("s", GPUS, NODE))
    config = [{"requests": ["y"], **opaque}, {"requests": ["elsewhere"], **opaque}]
    parts = first_of("y", request("big", count=9), request("small"))
    given = allocated(inventory, claim("c", request("x"), parts, config=config))
    devices = given["status"]["allocation"]["devices"]
    assert [result["request"] for result in devices["results"]] == ["x", "y/small"]
    assert devices["config"] == [
        {"source": "FromClass", "requests": ["x", "y/small"], **opaque},
        {"source": "FromClaim", "requests": ["y"], **opaque},
    ]


def test_a_search_that_would_take_for_ever_is_given_up() -> None:
    devices = [numa(f"d{n}", n) for n in range(60)]
    inventory = stock(resource_slice("s", devices, NODE))
    same = [{"matchAttribute": "numa.example.com/node", "requests": ["z"]}]
    wanted = claim(
        "c", request("x", count=15), request("y", count=15), request("z", count=2), constraints=same
    )
    with pytest.raises(OutOfSteps):
        found_for(inventory, wanted, steps=5_000)


def test_more_devices_than_a_claim_can_name() -> None:
    with pytest.raises(AllocationError, match="number of requested devices 33 exceeds the claim limit of 32"):
        found_for(stock(resource_slice("s", GPUS, NODE)), claim("c", request(count=33)))


def test_devices_that_have_to_be_waited_for_are_tried_last_and_say_what_for() -> None:
    conditions: Any = {"bindingConditions": ["ready"], "bindingFailureConditions": ["broken"]}
    waits = device("a", **conditions, bindsToNode=True)
    stocked = stock(
        resource_slice("a", [waits], allNodes=True), resource_slice("b", [device("b")], allNodes=True)
    )
    assert found_for(stocked, claim("c", request(count=2))) == [["b", "a"]]
    for name, own in (("b", {}), ("a", conditions)):
        written = allocated(stocked, claim(name, request()))["status"]["allocation"]
        (result,) = written["devices"]["results"]
        assert result == {"request": "gpu", "driver": DRIVER, "pool": name, "device": name, **own}
        assert ("nodeSelector" in written) is (name == "a"), "one that binds to its node is had there alone"


# Against a plain look at all there is.


def plainly(devices: list[Object], wanted: list[Object], constraints: list[Object]) -> bool:
    """Whether there is a choice of devices that fulfils everything, found by trying all choices."""
    counts = [one["exactly"]["count"] for one in wanted]
    models = [one["exactly"].get("model") for one in wanted]
    slots = [index for index, count in enumerate(counts) for _ in range(count)]
    for chosen in permutations(devices, len(slots)):
        if any(models[slot] not in (None, model_of(one)) for slot, one in zip(slots, chosen, strict=True)):
            continue
        if all(holds(constraint, wanted, slots, chosen) for constraint in constraints):
            return True
    return False


def model_of(one: Object) -> str:
    return str(one["attributes"]["model"]["string"])


def holds(constraint: Object, wanted: list[Object], slots: list[int], chosen: Sequence[Object]) -> bool:
    named = constraint.get("requests") or [one["name"] for one in wanted]
    values = [
        one["attributes"]["x.example.com/root"]["int"]
        for slot, one in zip(slots, chosen, strict=True)
        if wanted[slot]["name"] in named
    ]
    if "matchAttribute" in constraint:
        return len(set(values)) <= 1
    return len(set(values)) == len(values)


@settings(max_examples=150, deadline=None)
@given(SEEDS)
def test_a_search_finds_what_trying_everything_finds(seed: int) -> None:
    random = Random(seed)
    devices = [
        {
            "name": f"d{number}",
            "attributes": {
                "model": {"string": random.choice("ab")},
                "x.example.com/root": {"int": random.randrange(3)},
            },
        }
        for number in range(random.randrange(1, 6))
    ]
    plain: list[Object] = []
    asked: list[Object] = []
    for number in range(random.randrange(1, 4)):
        count, model = random.randrange(1, 3), random.choice([None, "a", "b"])
        plain.append({"name": f"r{number}", "exactly": {"count": count, "model": model}})
        text = f"device.attributes['{DRIVER}'].model == '{model}'" if model else ""
        asked.append(request(f"r{number}", text, count=count))
    names = [one["name"] for one in plain]
    constraints = [
        {
            random.choice(["matchAttribute", "distinctAttribute"]): "x.example.com/root",
            **({"requests": random.sample(names, 1)} if random.random() < 0.5 else {}),
        }
        for _ in range(random.randrange(3))
    ]
    inventory = stock(resource_slice("s", devices, NODE))
    found = found_for(inventory, claim("c", *asked, constraints=constraints), steps=100_000)
    assert (found is not None) == plainly(devices, plain, constraints)
    if found is not None:
        assert len(set(found[0])) == len(found[0]) == sum(one["exactly"]["count"] for one in plain)

"""An agent that gives processors and memory out: admission, cpusets, restarts, resizes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import eventually
from tests.kubelet.rig import Node, make_kubelet, node
from tests.kubelet.test_resize import MERGE
from tests.kubelet.topology.pods import container
from tests.kubelet.topology.trees import machine
from wherry.api.core.pods import PODS
from wherry.kubelet.configuration.decoding import ConfigurationError
from wherry.kubelet.runtimes.containers import Phase
from wherry.kubelet.runtimes.failures import RuntimeFailure
from wherry.kubelet.topology.checkpoints import encode
from wherry.kubelet.topology.settings import ManagerSettings
from wherry.objects.meta import Object

LAYOUT = machine(2, 1, 2, 2)
STATIC = ManagerSettings(cpu_policy="static", reserved_cpus=frozenset({0}))
MEMORY = ManagerSettings(memory_policy="Static", reserved_memory={0: {"memory": 1 << 30}})


def agent(tmp_path: Path, settings: ManagerSettings = STATIC, **more: Any) -> Any:
    return node(tmp_path, layout=LAYOUT, managers=settings, **more)


async def guaranteed(made: Node, name: str, cpu: str = "1", memory: str = "64Mi", **spec: Any) -> None:
    await made.create(name, {"resources": container("web", cpu, memory)["resources"]}, **spec)


async def status(made: Node, name: str) -> Object:
    found: Object = (await made.admin.get(PODS, name, "default")).get("status") or {}
    return found


async def running(made: Node, name: str) -> str:
    """The id of the pod's running container."""

    async def there() -> bool:
        return (await status(made, name)).get("phase") == "Running"

    await eventually(there)
    shown: str = (await status(made, name))["containerStatuses"][0]["containerID"]
    return shown.rpartition("/")[2]


def cpus(made: Node, container_id: str) -> str:
    """The processors the runtime was last told of."""
    updated = [given.cpus for one, given in made.runtime.updated if one == container_id and given.cpus]
    return [made.runtime.container_specs[container_id].resources.cpus, *updated][-1]


async def test_a_guaranteed_pod_has_processors_alone_and_others_move_off_them(tmp_path: Path) -> None:
    async with agent(tmp_path) as made:
        await made.create("shares")
        shares = await running(made, "shares")
        assert cpus(made, shares) == "0-7"
        await guaranteed(made, "own")
        own = await running(made, "own")
        assert cpus(made, own) == "4"
        limits = made.runtime.container_specs[own].resources
        assert (limits.cpu_quota_us, limits.cpu_shares) == (0, 1024)
        await eventually(lambda: cpus(made, shares) == "0-3,5-7")
        await made.admin.delete(PODS, "own", "default")
        await eventually(lambda: cpus(made, shares) == "0-7")


async def test_a_pod_that_cannot_be_placed_is_refused(tmp_path: Path) -> None:
    settings = ManagerSettings(
        cpu_policy="static",
        reserved_cpus=frozenset({0}),
        cpu_options=frozenset({"full-pcpus-only"}),
    )
    async with agent(tmp_path, settings) as made:
        await guaranteed(made, "odd")

        async def failed() -> bool:
            return (await status(made, "odd")).get("phase") == "Failed"

        await eventually(failed)
        told = await status(made, "odd")
        assert told["reason"] == "SMTAlignmentError"
        why = "SMT Alignment Error: requested 1 cpus not multiple cpus per core = 2"
        assert told["message"] == f"Pod was rejected: {why}"


async def test_after_a_restart_each_has_what_it_had(tmp_path: Path) -> None:
    async with agent(tmp_path) as made:
        await guaranteed(made, "own")
        own = await running(made, "own")
        assert cpus(made, own) == "4"
        await made.kubelet.close()
        again = make_kubelet(
            made.rig, made.config, made.runtime, made.clock, made.mounts, made.prober, layout=lambda: LAYOUT
        )
        try:
            await again.start()
            await guaranteed(made, "next")
            assert cpus(made, await running(made, "next")) == "1"
            assert cpus(made, own) == "4"
            assert [c.phase for c in await made.runtime.containers()] == [Phase.RUNNING] * 2
        finally:
            await again.close()


async def test_an_agent_that_ends_between_checkpoint_and_start_gives_the_same_again(tmp_path: Path) -> None:
    async with agent(tmp_path) as made:
        made.runtime.failures["run_sandbox"] = [RuntimeFailure("killed")] * 50
        await guaranteed(made, "own")
        state = made.config.root_dir / "cpu_manager_state"
        await eventually(lambda: b'"defaultCpuSet":"0-3,5-7"' in state.read_bytes())
        await made.kubelet.close()
        made.runtime.failures.clear()
        again = make_kubelet(
            made.rig, made.config, made.runtime, made.clock, made.mounts, made.prober, layout=lambda: LAYOUT
        )
        try:
            await again.start()
            assert cpus(made, await running(made, "own")) == "4"
        finally:
            await again.close()


@pytest.mark.parametrize(
    ("written", "why"),
    [
        (b"{", "checkpoint is corrupted"),
        (
            encode({"policyName": "none", "defaultCpuSet": ""}),
            'configured policy "static" differs from state checkpoint policy "none"',
        ),
    ],
)
async def test_an_agent_does_not_start_on_a_checkpoint_it_cannot_follow(
    tmp_path: Path, written: bytes, why: str
) -> None:
    async with agent(tmp_path, starts=False) as made:
        made.config.root_dir.mkdir(parents=True)
        (made.config.root_dir / "cpu_manager_state").write_bytes(written)
        with pytest.raises(
            ConfigurationError, match="please drain this node and delete the CPU manager"
        ) as told:
            await made.kubelet.start()
        assert why in str(told.value)


async def test_a_guaranteed_pod_is_not_resized_beside_a_static_policy(tmp_path: Path) -> None:
    async with agent(tmp_path) as made:
        await guaranteed(made, "own")
        await running(made, "own")
        more = container("web", "2", "64Mi")["resources"]
        patch = {"spec": {"containers": [{"name": "web", "resources": more}]}}
        await made.admin.patch(PODS, "own", "default", patch, subresource="resize", content_type=MERGE)

        async def told() -> bool:
            conditions = (await status(made, "own")).get("conditions") or []
            return any(c.get("reason") == "Infeasible" for c in conditions)

        await eventually(told)
        text = 'Resize is infeasible for Guaranteed Pods alongside CPU Manager policy "static"'
        assert text in str(await status(made, "own"))


async def test_memory_of_guaranteed_pods_comes_from_one_node(tmp_path: Path) -> None:
    async with agent(tmp_path, MEMORY, reserved_memory_bytes=(1 << 30) - (100 << 20)) as made:
        await guaranteed(made, "near", memory="1Gi")
        near = await running(made, "near")
        assert made.runtime.container_specs[near].resources.memory_nodes == "0"
        await made.create("any")
        assert made.runtime.container_specs[await running(made, "any")].resources.memory_nodes == ""
        assert (made.config.root_dir / "memory_manager_state").exists()

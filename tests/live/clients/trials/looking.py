"""Trials of the commands that only look."""

from __future__ import annotations

import json
import re

import yaml

from tests.live.clients.trials.base import POD, WEB, Bench, Trial, config_map
from tests.live.cluster import BUSYBOX


def get_table(bench: Bench) -> None:
    """Tables of one kind and of several."""
    assert re.search(rf"{POD}\s+1/1\s+Running\s+0\s+\d+", bench.run("get", "pods"))
    both = bench.run("get", f"pod/{POD}", f"deployment/{WEB}")
    assert f"pod/{POD}" in both
    assert re.search(rf"deployment.apps/{WEB}\s+2/2\s+2\s+2", both)


def get_wide(bench: Bench) -> None:
    """Extra columns: node and address of a pod."""
    assert re.search(rf"{POD}\s.*\s10\.\d+\.\d+\.\d+\s+live\s", bench.run("get", "pods", "-o", "wide"))


def get_json(bench: Bench) -> None:
    """A list as JSON."""
    found = json.loads(bench.run("get", "pods", "-o", "json"))
    assert found["kind"] == "List"
    assert POD in [item["metadata"]["name"] for item in found["items"]]


def get_yaml(bench: Bench) -> None:
    """One object as YAML, without managed fields."""
    found = yaml.safe_load(bench.run("get", "pod", POD, "-o", "yaml"))
    assert found["spec"]["containers"][0]["image"] == BUSYBOX
    assert "managedFields" not in found["metadata"]


def get_name(bench: Bench) -> None:
    """Names only."""
    assert bench.run("get", "pod", POD, "-o", "name") == f"pod/{POD}\n"


def get_jsonpath(bench: Bench) -> None:
    """A JSONPath over a list."""
    query = "jsonpath={.items[?(@.metadata.name=='" + POD + "')].spec.containers[*].image}"
    assert bench.run("get", "pods", "-o", query) == BUSYBOX


def get_columns(bench: Bench) -> None:
    """Columns of one's own."""
    said = bench.run("get", "pod", POD, "-o", "custom-columns=N:.metadata.name,P:.status.phase")
    assert said.split() == ["N", "P", POD, "Running"]


def get_template(bench: Bench) -> None:
    """A Go template."""
    assert bench.run("get", "pod", POD, "-o", "go-template={{.metadata.name}}") == POD


def get_selected(bench: Bench) -> None:
    """Label selectors, field selectors, sorting, chunks of one."""
    assert bench.run("get", "pods", "-l", f"app in ({POD})", "-o", "name") == f"pod/{POD}\n"
    running = bench.run("get", "pods", "--field-selector", f"metadata.name={POD},status.phase=Running")
    assert len(running.splitlines()) == 2
    chunked = bench.run("get", "pods", "--chunk-size=1", "--sort-by=.metadata.name", "-o", "name")
    assert len(chunked.split()) == len(bench.get("pods")["items"]) >= 3


def get_watch(bench: Bench) -> None:
    """A ConfigMap made while watching appears."""
    with bench.started("get", "configmaps", "--watch") as watch:
        watch.line("^NAME")
        bench.apply(config_map("watched", a="1"))
        assert watch.line(r"^watched\s+(\d)")[1] == "1"


def get_raw(bench: Bench) -> None:
    """A path as the server answers it."""
    found = json.loads(bench.cluster.kubectl("get", "--raw", f"/api/v1/namespaces/{bench.namespace}"))
    assert found["metadata"]["name"] == bench.namespace


def describe(bench: Bench) -> None:
    """A pod with its events, a Deployment, a Service with its endpoints, the node."""
    assert re.search(r"Normal\s+Started", bench.run("describe", "pod", POD))
    assert re.search(
        r"2 desired \| 2 updated \| 2 total \| 2 available", bench.run("describe", "deploy", WEB)
    )
    assert re.search(r"Endpoints:\s+10\.\S+:80,10\.\S+:80", bench.run("describe", "service", WEB))
    assert re.search(rf"{bench.namespace}\s+{POD}\s", bench.run("describe", "node", "live"))


def events(bench: Bench) -> None:
    """The events of one pod, and of one type."""
    assert re.search(rf"Scheduled\s+Pod/{POD}\s+Successfully", bench.run("events", "--for", f"pod/{POD}"))
    assert "Scheduled" not in bench.run("events", "--types=Warning")


def explain(bench: Bench) -> None:
    """A field, and all fields below one; descriptions where the extra `docs` is installed."""
    assert re.search(r"FIELD: replicas <integer>", bench.run("explain", "deployment.spec.replicas"))
    tree = bench.run("explain", "pod.spec", "--recursive")
    assert re.search(r"containers\s+<\[\]Container> -required-", tree)
    assert re.search(r"schedulerName\s+<string>", tree)


def api_resources(bench: Bench) -> None:
    """All kinds with short names, and those of one group."""
    assert re.search(r"pods\s+po\s+v1\s+true\s+Pod", bench.cluster.kubectl("api-resources"))
    apps = bench.cluster.kubectl("api-resources", "--api-group=apps", "-o", "name").split()
    assert "deployments.apps" in apps
    assert not [name for name in apps if not name.endswith(".apps")]


def api_versions(bench: Bench) -> None:
    """The served versions."""
    assert {"v1", "apps/v1", "batch/v1"} <= set(bench.cluster.kubectl("api-versions").split())


def version(bench: Bench) -> None:
    """The version of client and server."""
    found = json.loads(bench.cluster.kubectl("version", "-o", "json"))
    assert found["serverVersion"]["minor"] == "37"


def cluster_info(bench: Bench) -> None:
    """Where the control plane is."""
    assert "Kubernetes control plane" in bench.cluster.kubectl("cluster-info")


def cluster_info_dump(bench: Bench) -> None:
    """Objects and logs of a namespace, written as files."""
    bench.cluster.kubectl(
        "cluster-info", "dump", f"--namespaces={bench.namespace}", f"--output-directory={bench.directory}"
    )
    below = bench.directory / bench.namespace
    assert "line 0" in (below / POD / "logs.txt").read_text()
    assert json.loads((bench.directory / "nodes.json").read_text())["items"]


def top_node(bench: Bench) -> None:
    """What the node uses."""
    assert re.search(r"live\s+\d+m\s+\d+%\s+\d+Mi", bench.cluster.kubectl("top", "node"))


def top_pod(bench: Bench) -> None:
    """What a pod uses."""
    assert re.search(rf"{POD}\s+\d+m\s+\d+Mi", bench.run("top", "pod", POD))


def wait_for(bench: Bench) -> None:
    """For a condition, for a value, in vain, and for deletion."""
    assert "condition met" in bench.run("wait", f"pod/{POD}", "--for=condition=Ready", "--timeout=60s")
    bench.run("wait", f"pod/{POD}", "--for=jsonpath={.status.phase}=Running", "--timeout=60s")
    late = bench.attempt("wait", f"pod/{POD}", "--for=condition=Never", "--timeout=1s")
    assert "timed out waiting for the condition" in late.err
    bench.apply(config_map("waited", a="1"))
    bench.run("delete", "configmap", "waited", "--wait=false")
    bench.run("wait", "configmap/waited", "--for=delete", "--timeout=60s")


def kustomize(bench: Bench) -> None:
    """Build a directory; apply it with `apply -k`."""
    bench.file("kustomization.yaml", "namePrefix: a-\nresources: [map.yaml]\n")
    bench.file("map.yaml", json.dumps(config_map("kustomized", a="1")))
    assert "name: a-kustomized" in bench.cluster.kubectl("kustomize", str(bench.directory))
    assert bench.run("apply", "-k", str(bench.directory)) == "configmap/a-kustomized created\n"


def completion(bench: Bench) -> None:
    """A script for bash, and names of pods that complete."""
    assert "complete" in bench.cluster.kubectl("completion", "bash")
    assert POD in bench.cluster.kubectl("__complete", "get", "pod", f"--namespace={bench.namespace}", "b")


def plugin(bench: Bench) -> None:
    """A program called kubectl-trial in the path becomes `kubectl trial`."""
    program = bench.directory / "kubectl-trial"
    program.write_text("#!/bin/sh\necho plugged $1\n")
    program.chmod(0o755)
    plugged = bench.where(PATH=f"{bench.directory}:/usr/bin:/bin")
    assert str(program) in plugged.cluster.kubectl("plugin", "list")
    assert plugged.cluster.kubectl("trial", "in") == "plugged in\n"


LOOKING: tuple[Trial, ...] = (
    Trial("get", get_table),
    Trial("get -o wide", get_wide),
    Trial("get -o json", get_json),
    Trial("get -o yaml", get_yaml),
    Trial("get -o name", get_name),
    Trial("get -o jsonpath", get_jsonpath),
    Trial("get -o custom-columns", get_columns),
    Trial("get -o go-template", get_template),
    Trial("get -l, --field-selector, --sort-by, --chunk-size", get_selected),
    Trial("get --watch", get_watch),
    Trial("get --raw", get_raw),
    Trial("describe", describe),
    Trial("events", events),
    Trial("explain", explain),
    Trial("api-resources", api_resources),
    Trial("api-versions", api_versions),
    Trial("version", version),
    Trial("cluster-info", cluster_info),
    Trial("cluster-info dump", cluster_info_dump),
    Trial("top node", top_node),
    Trial("top pod", top_pod),
    Trial("wait", wait_for),
    Trial("kustomize", kustomize),
    Trial("completion", completion),
    Trial("plugin list", plugin),
)

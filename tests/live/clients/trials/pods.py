"""Trials of the commands that reach into pods."""

from __future__ import annotations

import json
import os
import re
import urllib.request

from tests.live.clients.trials.base import POD, WEB, Bench, Trial
from tests.live.cluster import BUSYBOX, until
from tests.timing import PATIENCE_S


def run(bench: Bench) -> None:
    """A pod with a command, its output shown, removed afterwards."""
    said = bench.run(
        *("run", "ran", f"--image={BUSYBOX}", "--restart=Never", "--rm", "--attach", "--quiet"),
        *("--command", "--", "sh", "-c", "sleep 1; echo out of the pod"),
    )
    assert "out of the pod" in said
    assert "NotFound" in bench.attempt("get", "pod", "ran").err


def exec_(bench: Bench) -> None:
    """Standard input, output and exit code."""
    done = bench.attempt("exec", "-i", POD, "--", "sh", "-c", "tr a-z A-Z; exit 5", stdin="loud")
    assert (done.code, done.out) == (5, "LOUD")


def attach(bench: Bench) -> None:
    """The output of a running container."""
    with bench.started("attach", POD) as attached:
        first = int(attached.line(r"^line (\d+)")[1])
        assert int(attached.line(r"^line (\d+)")[1]) == first + 1


def logs(bench: Bench) -> None:
    """From the start, the last line with its time, of all pods of a selector."""
    assert bench.run("logs", POD).startswith("line 0\n")
    assert re.fullmatch(r"\S+Z line \d+\n", bench.run("logs", POD, "--tail=1", "--timestamps"))
    assert re.search(rf"\[pod/{POD}/{POD}\] line", bench.run("logs", "-l", f"app={POD}", "--prefix"))


def logs_follow(bench: Bench) -> None:
    """Lines as they are written."""
    with bench.started("logs", "-f", "--tail=1", POD) as following:
        first = int(following.line(r"^line (\d+)")[1])
        assert int(following.line(r"^line (\d+)")[1]) == first + 1


def cp(bench: Bench) -> None:
    """A file into a container and out again."""
    source, back = bench.directory / "source", bench.directory / "back"
    source.write_bytes(os.urandom(100_000))
    bench.run("cp", str(source), f"{POD}:/tmp/copied")
    bench.run("cp", f"{POD}:/tmp/copied", str(back))
    assert back.read_bytes() == source.read_bytes()


def port_forward(bench: Bench) -> None:
    """A local port reaches nginx in a pod, by pod, Deployment and Service."""
    pod = bench.run("get", "pods", "-l", f"app={WEB}", "-o", "name").split()[0]
    for target in (pod, f"deployment/{WEB}", f"service/{WEB}"):
        with bench.started("port-forward", target, ":80") as forward:
            port = forward.line(r"Forwarding from 127\.0\.0\.1:(\d+) -> 80")[1]
            for _ in range(2):
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=PATIENCE_S) as answer:
                    assert b"nginx" in answer.read()


def proxy(bench: Bench) -> None:
    """The API over plain HTTP; through it the Service's pods."""
    with bench.started("proxy", "--port=0") as running:
        port = running.line(r"Starting to serve on 127\.0\.0\.1:(\d+)")[1]
        base = f"http://127.0.0.1:{port}/api/v1/namespaces/{bench.namespace}"
        with urllib.request.urlopen(f"{base}/pods/{POD}", timeout=PATIENCE_S) as answer:
            assert json.load(answer)["metadata"]["name"] == POD
        with urllib.request.urlopen(f"{base}/services/{WEB}:80/proxy/", timeout=PATIENCE_S) as answer:
            assert b"nginx" in answer.read()


def debug(bench: Bench) -> None:
    """A container added to a running pod, looking at its processes."""
    bench.run(
        *("debug", POD, f"--image={BUSYBOX}", "--container=look", "--profile=general"),
        *(f"--target={POD}", "--quiet", "--", "sh", "-c", "cat /proc/1/cmdline"),
    )
    done = "--for=jsonpath={.status.ephemeralContainerStatuses[0].state.terminated.exitCode}=0"
    bench.run("wait", f"pod/{POD}", done, "--timeout=60s")
    assert "echo line" in bench.run("logs", POD, "-c", "look")


def debug_copy(bench: Bench) -> None:
    """A copy of a pod with another command."""
    bench.run(
        *("debug", POD, "--copy-to=copied", f"--container={POD}", "--profile=general", "--quiet"),
        *("--", "sh", "-c", "echo from the copy"),
    )
    # It ends at once, and depending on its restart policy runs again: that it ran once is told by its log.
    namespace = f"--namespace={bench.namespace}"
    until(lambda: "from the copy" in bench.cluster.try_kubectl(namespace, "logs", "copied").out)
    bench.run("delete", "pod", "copied", "--force", "--grace-period=0")


def debug_node(bench: Bench) -> None:
    """A pod in the node's namespaces, with its file system."""
    said = bench.run(
        *("debug", "node/live", f"--image={BUSYBOX}", "--profile=general"),
        *("--", "cat", "/host/etc/hostname"),
    )
    name = re.search(r"node-debugger-live-\w+", said)
    assert name
    bench.run("wait", f"pod/{name[0]}", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=60s")
    with open("/etc/hostname") as file:
        assert bench.run("logs", name[0]) == file.read()
    bench.run("delete", "pod", name[0])


PODS: tuple[Trial, ...] = (
    Trial("run", run),
    Trial("exec", exec_),
    Trial("attach", attach),
    Trial("logs", logs),
    Trial("logs -f", logs_follow),
    Trial("cp", cp),
    Trial("port-forward", port_forward),
    Trial("proxy", proxy),
    Trial("debug", debug),
    Trial("debug --copy-to", debug_copy),
    Trial("debug node", debug_node),
)

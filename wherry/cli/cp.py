"""`wherry cp`: files into and out of a container, which needs no tar for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from wherry.cli.asking import Kubeconfig, Namespace
from wherry.cli.copying import CopyFailure, copy_in, copy_out
from wherry.cli.entering import find_entry
from wherry.cli.failures import FAILED, USAGE, Failure
from wherry.cli.options import Name
from wherry.cli.terminal import say, tell


@dataclass(frozen=True, slots=True)
class Place:
    """A path here, or in a pod (`pod` is "" here)."""

    namespace: str
    pod: str
    path: str


def cp(
    source: Annotated[str, typer.Argument(help="What to copy: PATH, or [NAMESPACE/]POD:PATH.")] = "",
    target: Annotated[str, typer.Argument(help="Where to: PATH, or [NAMESPACE/]POD:PATH.")] = "",
    container: Annotated[
        str, typer.Option("--container", "-c", help="The container; else the default one.")
    ] = "",
    namespace: Namespace = "",
    name: Name = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Copy files into or out of a container.

    As `kubectl cp`, but the image needs no tar, not even a shell: for this machine's root, on nodes of this
    machine, and where the API would allow `kubectl exec`. Links and devices are left out, and told of.

    Examples:

      wherry cp settings.json web-0:/etc/app/

      wherry cp shop/web-0:/var/log/app ./logs -c app
    """
    places = [read_place(text) for text in (source, target)]
    if not source or not target or bool(places[0].pod) == bool(places[1].pod):
        raise Failure("name one path here and one in a pod: wherry cp FILE POD:PATH, or POD:PATH FILE", USAGE)
    there = places[0] if places[0].pod else places[1]
    if not there.path:
        raise Failure(f"say where in pod {there.pod}: {there.pod}:PATH", USAGE)
    entry = find_entry(
        there.pod, container, there.namespace or namespace or "default", name, kubeconfig, "cp"
    )
    try:
        with entry.inside() as inside:
            if places[0].pod:
                count = copy_out(inside.root, there.path, Path(target), _skipped)
            else:
                count = copy_in(Path(source), inside.root, there.path, inside.owner, _skipped)
    except CopyFailure as error:
        raise Failure(f"{entry.key}: {error}", FAILED) from None
    say(f"copied {count} file{'' if count == 1 else 's'}")


def read_place(text: str) -> Place:
    """A path here, or one in a pod. What begins with a dot or a slash is here, whatever colons it has."""
    before, colon, path = text.partition(":")
    if not colon or text[:1] in (".", "/") or before.count("/") > 1:
        return Place("", "", text)
    namespace, _, pod = before.rpartition("/")
    return Place(namespace, pod, path)


def _skipped(path: str) -> None:
    tell(f"left out: {path} (a link, a device or the like)")

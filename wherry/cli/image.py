"""`wherry image`: images without a registry: make them, load them, list them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from shutil import disk_usage
from typing import TYPE_CHECKING, Annotated

import typer

from wherry.cli.failures import FAILED, MISSING_PROGRAM, NOT_READY, USAGE, Failure
from wherry.cli.options import DataDir, Name, Output, check_output
from wherry.cli.selection import refuse_simulated, refuse_stopped, select_existing
from wherry.cli.terminal import Steps, print_json, say

if TYPE_CHECKING:
    from wherry.images.load import ImageStore

HELP = """Make, load and list container images, without a registry.

Examples:

  wherry image pack busybox-static --name docker.io/library/busybox:1.35 --output busybox.tar

  wherry image load busybox.tar

  wherry image list
"""
image = typer.Typer(
    help=HELP,
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    rich_markup_mode=None,
)


@image.command()
def load(
    archives: Annotated[
        list[Path], typer.Argument(help="OCI layouts or `docker save` archives, compressed or not.")
    ],
    name: Name = None,
    data_dir: DataDir = None,
) -> None:
    """Load image archives into the cluster's node.

    Example:

      wherry image load nginx.tar
    """
    from wherry.images.load import ImportFailed, NotAnImage, load_image

    for archive in archives:
        if not archive.is_file():
            raise Failure(
                f"{archive}: no such file; give an archive such as `wherry image pack` writes", FAILED
            )
    store = _store(name, data_dir)
    # Half of what is free: containerd keeps the layers as they came, and unpacked.
    room = disk_usage(select_existing(name, data_dir).node_paths.containerd).free // 2
    for archive in archives:
        try:
            with Steps().step(f"Loading {archive}"):
                names = asyncio.run(load_image(store, archive, room))
        except (NotAnImage, ImportFailed) as error:
            raise Failure(str(error), FAILED) from None
        for loaded in names:
            say(loaded)


@image.command("list")
def list_(name: Name = None, data_dir: DataDir = None, output: Output = "text") -> None:
    """List the images on the cluster's node.

    Example:

      wherry image list -o json
    """
    from wherry.images.load import ImportFailed, list_images

    as_json = check_output(output)
    try:
        names = asyncio.run(list_images(_store(name, data_dir)))
    except ImportFailed as error:
        raise Failure(str(error), FAILED) from None
    if as_json:
        print_json(names)
    else:
        for found in names:
            say(found)


@image.command()
def pack(
    packages: Annotated[
        list[str] | None, typer.Argument(help="Debian packages whose files the image gets.")
    ] = None,
    name: Annotated[str, typer.Option("--name", help="The image's name, such as example.com/app:1.")] = "",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The archive to write; APP.tar for example.com/APP:1."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an archive that is there.")] = False,
    file: Annotated[
        list[str] | None, typer.Option("--file", "-f", help="SOURCE:TARGET, a file or directory to add.")
    ] = None,
    entrypoint: Annotated[list[str] | None, typer.Option(help="A word of the entrypoint; repeat.")] = None,
    command: Annotated[list[str] | None, typer.Option("--cmd", help="A word of the command; repeat.")] = None,
    env: Annotated[list[str] | None, typer.Option(help="NAME=VALUE; repeat.")] = None,
    user: Annotated[str, typer.Option(help="User the image runs as.")] = "",
    workdir: Annotated[str, typer.Option(help="Working directory.")] = "",
    port: Annotated[list[str] | None, typer.Option(help="A port such as 80/tcp; repeat.")] = None,
) -> None:
    """Make an image from files and Debian packages.

    Packages bring the libraries they need along.

    Examples:

      wherry image pack nginx-light --name docker.io/library/nginx:1.22 --output nginx.tar

      wherry image pack busybox-static --file app.sh:/app.sh --cmd /bin/sh --cmd /app.sh --name app:1
    """
    from wherry.images.pack import PackFailed, pack_image

    if not name:
        raise Failure("an image needs a name; give --name, for example --name example.com/app:1", USAGE)
    if not packages and not file:
        raise Failure("there is nothing to pack; give Debian packages, or --file SOURCE:/TARGET", USAGE)
    archive = output or Path(f"{name.rpartition('/')[2].partition(':')[0].partition('@')[0]}.tar")
    if archive.exists() and not force:
        raise Failure(f"{archive} is there already; give another --output, or --force to replace it")
    try:
        with Steps().step(f"Packing {name}"):
            pack_image(
                archive,
                name,
                packages=packages or [],
                files=[_split_file(item) for item in file or []],
                entrypoint=entrypoint,
                cmd=command,
                env=env or [],
                user=user,
                workdir=workdir,
                ports=port or [],
            )
    except PackFailed as error:
        raise Failure(str(error), FAILED) from None
    say(str(archive))


def _split_file(item: str) -> tuple[Path, str]:
    source, colon, target = item.partition(":")
    if not colon or not target.startswith("/"):
        raise Failure(f"--file {item}: give SOURCE:/ABSOLUTE/TARGET", USAGE)
    return Path(source), target


def _store(name: str | None, data_dir: Path | None) -> ImageStore:
    """The image store of a running node. Raises Failure when it does not run."""
    from wherry.cluster.node import Node
    from wherry.kit.clock import SystemClock
    from wherry.kubelet.runtimes.containerd.facts import MissingPrograms, read_facts

    lifecycle = select_existing(name, data_dir)
    refuse_simulated(lifecycle, "images")
    node = Node.of(lifecycle.config.name, lifecycle.setup.node.name, lifecycle.paths)
    if not node.containerd.socket.exists():
        refuse_stopped(lifecycle)
        raise Failure(
            f"the node of cluster {lifecycle.config.name!r} has no containerd yet; what keeps it: "
            f"{lifecycle.command('logs agent')}",
            NOT_READY,
        )
    try:
        facts = read_facts(node.paths.containerd)
    except MissingPrograms as error:
        raise Failure(str(error), MISSING_PROGRAM) from None
    return node.daemon(facts, SystemClock()).image_store

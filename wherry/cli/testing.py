"""`wherry test-server` and `wherry envtest-assets`: Wherry for the tests of programs in any language."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wherry.cli.failures import BAD_SETTING, Failure
from wherry.cli.options import some_that_begin, whole


def _controllers() -> list[str]:
    # Imported here: who completes anything else need not wait for it.
    from wherry.controllers.catalog import CONTROLLERS

    return ["all", "none", *(kind.name for kind in CONTROLLERS)]


def serve_tests(
    nodes: Annotated[
        int,
        typer.Option(help="How many simulated nodes there are.", parser=whole("--nodes"), metavar="INTEGER"),
    ] = 0,
    controllers: Annotated[
        str,
        typer.Option(
            help="Controllers that run: all, none, or names with commas between.",
            autocompletion=some_that_begin(_controllers),
        ),
    ] = "all",
    apply: Annotated[
        list[Path] | None, typer.Option("--apply", help="Manifests (files or folders) applied at the start.")
    ] = None,
    port: Annotated[
        int,
        typer.Option(help="Port of the API server; 0 for any.", parser=whole("--port"), metavar="INTEGER"),
    ] = 0,
    kubeconfig: Annotated[
        Path | None, typer.Option(help="Where to write the kubeconfig; else a file of its own.")
    ] = None,
    output: Annotated[str, typer.Option("--output", "-o", help="text, or json.")] = "text",
) -> None:
    """Run a whole control plane in memory for a test.

    It prints its kubeconfig and ends with its parent.

    Examples:

      wherry test-server --nodes 3

      wherry test-server --controllers none --apply config/crd --kubeconfig /tmp/kc
    """
    from wherry.objects.errors import ApiError
    from wherry.testing.kubeconfig_file import KubeconfigError
    from wherry.testing.manifests import ManifestError
    from wherry.testing.server import names, run
    from wherry.testing.settings import SettingsError

    if output not in ("text", "json"):
        raise Failure(f"no output {output!r}; use text or json", 2)
    settings = {"nodes": nodes, "controllers": names(controllers), "objects": apply or (), "port": port}
    try:
        run(settings, kubeconfig, as_json=output == "json")
    except (SettingsError, ManifestError, KubeconfigError) as error:
        raise Failure(str(error), 2) from error
    except ApiError as error:
        raise Failure(f"--apply: {error.message}", 2) from error
    except OSError as error:
        raise Failure(
            f"cannot serve on port {port}: {error.strerror or error}; choose with --port"
        ) from error


def envtest_assets(
    directory: Annotated[Path | None, typer.Option(help="Where to write them; else below ~/.cache.")] = None,
) -> None:
    """Print a directory for KUBEBUILDER_ASSETS.

    envtest then starts Wherry, and suites run unchanged. Set WHERRY_ENVTEST_CONTROLLERS=all to have
    controllers and scheduler too.

    Example:

      KUBEBUILDER_ASSETS=$(wherry envtest-assets) go test ./...
    """
    from wherry.testing.envtest.assets import AssetsError, write_assets

    try:
        typer.echo(write_assets(directory))
    except AssetsError as error:
        raise Failure(str(error), BAD_SETTING) from error
    except OSError as error:
        raise Failure(f"{error.filename}: {error.strerror}; choose with --directory") from error

"""The flags the stand-in for kube-apiserver takes, with upstream's defaults, and its help."""

from __future__ import annotations

from dataclasses import replace

from wherry.apiserver.config import ALWAYS_ALLOW
from wherry.cluster.alone.apiserver_flags import FOR_TESTS, PROGRAM
from wherry.cluster.alone.flags import help_text

CONTROLLERS = "WHERRY_ENVTEST_CONTROLLERS"
DEFAULTS = {
    "authorization-mode": ALWAYS_ALLOW,
    "service-account-issuer": "https://kubernetes.default.svc",
    "service-cluster-ip-range": "10.0.0.0/24",
}
FLAGS = tuple(replace(flag, default=DEFAULTS.get(flag.name, flag.default)) for flag in FOR_TESTS)
HELP = help_text(
    f"Stands in for {PROGRAM} where a test starts one. {CONTROLLERS}=all (or names, as of\n"
    "kube-controller-manager --controllers) runs the controllers and the scheduler beside it.",
    FLAGS,
)

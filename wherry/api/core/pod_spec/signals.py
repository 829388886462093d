"""`lifecycle.stopSignal`: which signals a system has (pkg/apis/core/validation, validateStopSignal)."""

from __future__ import annotations

from wherry.api.core.pod_spec.rules import Errors, Fields, check_choice
from wherry.objects.errors import forbidden_value

_PLAIN = (
    "ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV STKFLT STOP SYS "
    "TERM TRAP TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ"
)
_REALTIME = (
    "RTMIN",
    *(f"RTMIN+{number}" for number in range(1, 16)),
    *(f"RTMAX-{number}" for number in range(1, 15)),
    "RTMAX",
)
SIGNALS = {
    "linux": tuple(sorted(f"SIG{name}" for name in (*_PLAIN.split(), *_REALTIME))),
    "windows": ("SIGKILL", "SIGTERM"),
}


def validate_stop_signal(lifecycle: Fields, path: str, system: str, errors: Errors) -> None:
    """`stopSignal` of the lifecycle at `path`, in a pod whose `spec.os.name` is `system` ("" for none)."""
    signal = lifecycle.get("stopSignal")
    if signal is None:
        return
    at = f"{path}.stopSignal"
    if not system:
        errors.append(forbidden_value(at, "may not be set for containers with empty `spec.os.name`"))
    elif (known := SIGNALS.get(system)) is not None:
        check_choice(signal, known, at, errors)

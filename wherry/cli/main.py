"""The `wherry` command: what becomes of a command line, and of whatever goes wrong.

That ends in one line on standard error and an exit code (`failures`); a traceback is a bug. What the commands
are is in `commands`, and loaded only for those that are read by click: `wherry kubectl` is typed most often.
"""

from __future__ import annotations

import os
import sys

from wherry.cli.failures import FAILED, INTERRUPTED, NOT_PERMITTED, Failure
from wherry.cli.kubectl import become_kubectl
from wherry.cli.terminal import COMPLETING, complain, open_what_is_closed, results_written
from wherry.cluster.advice import about_files, as_root
from wherry.cluster.lifecycle import EndFailed
from wherry.cluster.settings import unknown_variables


def main() -> None:
    """Run the command line; ends the process with a documented exit code."""
    open_what_is_closed()
    try:
        with results_written():
            _run()
    except Failure as failure:
        complain(str(failure))
        sys.exit(failure.code)
    except EndFailed as error:
        complain(f"not everything of the cluster is gone: {error}; mend that, then run it again")
        sys.exit(FAILED)
    except KeyboardInterrupt:
        complain("interrupted")
        sys.exit(INTERRUPTED)
    except PermissionError as error:
        complain(f"{error.filename}: permission denied; run it again {as_root()}")
        sys.exit(NOT_PERMITTED)
    except OSError as error:
        complain(about_files(error))
        sys.exit(FAILED)


def _run() -> None:
    completes = COMPLETING in os.environ
    if not completes:
        for name, near in unknown_variables(os.environ).items():
            hint = f"; did you mean {near}?" if near else "; docs/cli.md lists those there are"
            complain(f"warning: {name} is set, but there is no such variable{hint}")
    if sys.argv[1:2] == ["kubectl"] and sys.argv[2:3] != ["--wherry-help"]:
        become_kubectl(sys.argv[2:])  # past click, which would take the "--" of `exec POD -- ls`
    try:
        from wherry.cli.commands import app
    except KeyboardInterrupt:  # loading them all takes a while
        raise Failure("interrupted; nothing was changed", INTERRUPTED) from None

    if completes:
        from wherry.cli.completion import answer_shells

        answer_shells()
    try:
        app(prog_name="wherry")
    except SystemExit as ended:
        if ended.code == INTERRUPTED:  # which typer makes of a Ctrl-C, without a word
            raise KeyboardInterrupt from None
        raise


if __name__ == "__main__":
    main()

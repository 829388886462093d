"""`python -m tests.chaos --minutes 30 --seed 7`: what `make chaos` runs."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos.faults import Victim
from tests.chaos.run import own_disk, prepare, torment
from tests.chaos.verdict import traces
from tests.live.cluster import BUSYBOX, LiveCluster, slot_flags

SLOT = 8


def main() -> None:
    """Run, tell, and exit with 1 when something was lost or left behind."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    arguments = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="wherry-chaos-"))
    cluster = LiveCluster(directory=directory, name="chaos", flags=slot_flags(SLOT))
    sys.stderr.write(f"* Seed {arguments.seed}, in {directory}\n")
    with own_disk(directory / "data"):
        archive = directory / "busybox.tar"
        cluster.wherry("image", "pack", "busybox-static", "--name", BUSYBOX, "--output", str(archive))
        try:
            cluster.up()
            cluster.wherry("image", "load", str(archive))
            prepare(cluster)
            report = torment(cluster, duration_s=arguments.minutes * 60, seed=arguments.seed)
        except BaseException:
            cluster.try_wherry("down")  # the disk below it goes, so nothing may run on
            raise
        for name, count in sorted(report.faults.items()):
            print(f"{count:5} times: {name}")
        print("writes by answer:", dict(sorted(report.answers.items())))
        if report.complaints:
            print("\n".join(report.complaints))
            shutil.copytree(directory / "data" / cluster.name / "logs", directory / "logs")
            cluster.try_wherry("down")
            print(f"the logs are in {directory / 'logs'}")
            sys.exit(1)
        cluster.wherry("delete")
    left = traces(Victim(cluster))  # the disk was ours
    if left:
        print("left on the machine:", left)
        sys.exit(1)
    shutil.rmtree(directory)
    print("Nothing was lost, nothing is left.")


if __name__ == "__main__":
    main()

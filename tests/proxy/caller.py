"""`caller.py tcp|udp ADDRESS PORT TIMES`: calls so often, and prints what it heard each time, as JSON."""

from __future__ import annotations

import json
import socket
import sys

protocol, address, port, times = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
SILENCE_S = 1.0
"""What is dropped is not answered; everybody here answers at once."""


def call() -> str:
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as caller:
        caller.settimeout(SILENCE_S)
        try:
            caller.connect((address, port))
            if protocol == "udp":
                caller.send(b"who?\n")
            return caller.recv(200).decode().strip() or "closed"
        except TimeoutError:
            return "silence"
        except ConnectionRefusedError:
            return "refused"
        except OSError as error:
            return f"errno-{error.errno}"


print(json.dumps([call() for _ in range(times)]))

"""`server.py NAME PORT`: says its name and whom it sees, over TCP and UDP; TCP echoes lines after that."""

from __future__ import annotations

import asyncio
import sys

name, port = sys.argv[1], int(sys.argv[2])


async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(f"{name} {writer.get_extra_info('peername')[0]}\n".encode())
    try:
        while line := await reader.readline():
            writer.write(line)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


class Datagrams(asyncio.DatagramProtocol):
    transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.transport.sendto(f"{name} {addr[0]}\n".encode(), addr)


async def main() -> None:
    server = await asyncio.start_server(greet, "0.0.0.0", port)
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(Datagrams, ("0.0.0.0", port))
    print("up", flush=True)
    await server.serve_forever()


asyncio.run(main())

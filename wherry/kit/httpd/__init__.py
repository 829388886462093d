"""A small, fast HTTP/1.1 server front: httptools parses, uvloop moves bytes, one handler answers.

Why not a framework: the API server answers most requests from bytes it already holds, and then the
front is the whole cost (docs/performance.md). `message` is what handlers see, `protocol` the
connection, `server` the listening socket, `websocket` the frames of an upgraded connection.
"""

from wherry.kit.httpd.message import Handler, Request, Response, StreamResponse, UpgradeResponse

__all__ = ["Handler", "Request", "Response", "StreamResponse", "UpgradeResponse"]

"""The protobuf form of built-in kinds: `application/vnd.kubernetes.protobuf`.

Objects are converted between their JSON form (plain dicts) and Kubernetes' wire form by functions
compiled from a generated table (`messages.txt`), each kind's when it is first met. `encode` and
`decode` treat whole objects; `encode_message`, `wrap` and `list_pieces` let a server keep an
object's message and use it for reads, lists and watches alike.
"""

from wherry.api.protobuf.counting import excess_of
from wherry.api.protobuf.decode import decode, read_frame
from wherry.api.protobuf.envelope import (
    encode,
    encode_message,
    encode_watch_frame,
    has_protobuf,
    list_pieces,
    wrap,
)
from wherry.api.protobuf.errors import ProtobufError
from wherry.api.protobuf.special_read import MAX_DEPTH

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
"""What it is called over HTTP."""

__all__ = [
    "MAX_DEPTH",
    "MEDIA_TYPE",
    "ProtobufError",
    "decode",
    "encode",
    "encode_message",
    "encode_watch_frame",
    "excess_of",
    "has_protobuf",
    "list_pieces",
    "read_frame",
    "wrap",
]

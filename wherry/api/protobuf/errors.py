"""What goes wrong between objects and their protobuf form."""


class ProtobufError(ValueError):
    """The bytes cannot be read, the object cannot be written, or its kind has no protobuf form."""

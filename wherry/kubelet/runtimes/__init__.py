"""What runs containers: `base` is the protocol, one runtime per folder or file beside it."""

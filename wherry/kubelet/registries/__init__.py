"""Where images are pulled from instead of, or beside, the registry their name says.

`registries` reads the file people know from k3s, `hosts` renders it for containerd, `rewriting` pulls what
containerd cannot be told: images that a mirror has under another name.
"""

"""The kubelet's own HTTPS server: what the API server asks a node directly.

`app` routes and authorizes, `logs` reads container logs, `remote` lets exec, attach and port
forwarding through to the runtime's streaming server (`tunnel` byte by byte, `bridge` where the
client speaks a protocol that the runtime does not, over `spdy`), `stats` tells what is used.
"""

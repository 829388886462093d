"""The kubelet's own HTTPS server: what the API server, and whoever watches nodes, asks a node directly.

`server` routes, `access` says who asks and who may, `containers` opens the ways into containers: `logs` and
`follow` read what they wrote, exec, attach and port forwarding go through to the runtime's streaming server
(`tunnel` byte by byte, `bridge` where the client speaks a protocol that the runtime does not, over `spdy`).
`figures` has the pages of figures, made of one `sample` (`cadvisor`, `resource_page`, `summary`); the others
have a page each.
"""

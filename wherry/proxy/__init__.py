"""The service proxy: makes ClusterIPs, node ports and external addresses lead to pods.

`model` turns Services and EndpointSlices into neutral facts (pure), a backend in `backends/` turns
these into rules of the kernel (pure) and puts them there (thin), `proxy` watches and keeps both in
step.
"""

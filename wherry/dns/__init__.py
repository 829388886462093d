"""Cluster DNS: Services, their endpoints and pods by name, and everything else from the node's resolvers.

Specification: kubernetes/dns, "Kubernetes DNS-Based Service Discovery" 1.1.0; where that leaves a choice,
what CoreDNS's `kubernetes` plugin does. `wire` reads and writes messages, `zone` has the names,
`service_records` says what a Service has, `forward` asks others, `server` listens, `dns` puts them together.
"""

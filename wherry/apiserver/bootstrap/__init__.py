"""What a cluster has from its first moment: namespaces, roles, priority classes, the API's own service."""

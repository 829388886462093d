"""storage.k8s.io: StorageClass, CSI drivers and nodes, attachments, capacities."""

"""networking.k8s.io: Ingress and its classes, NetworkPolicy, and the addresses services get."""

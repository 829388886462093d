"""certificates.k8s.io: signing requests, trust bundles, certificates for pods."""

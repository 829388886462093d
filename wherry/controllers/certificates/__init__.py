"""CertificateSigningRequests for Kubernetes' own signers: approved, signed, cleared away.

Upstream's pkg/controller/certificates: `approving`, `signing`, `cleaning`, with what a request asks for in
`requests` and the authority in `authority`.
"""

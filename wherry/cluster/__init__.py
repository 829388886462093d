"""How a cluster is put together: configuration, certificates, kubeconfig, processes.

The only package that knows all components. `config` is what a user may set, `paths` where things
lie, `pki` who trusts whom, `server` and `agent` are the two processes, `supervisor` keeps them up.
"""

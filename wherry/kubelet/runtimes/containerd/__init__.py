"""Containers by containerd: `daemon` owns a containerd of the cluster's own, `cri` speaks to it.

`facts` says what the machine allows, `config` renders containerd's configuration from that,
`convert` and `errors` translate between CRI's messages and the runtime's protocol, `events` listens to
containerd's event service, `remains` removes what killed processes left behind.
"""

"""Which pods may use an image that is on the node already (KEP-2535).

`records` are the files that tell who pulled what with which credentials, `policy` says for which images that
matters, `keeper` decides by both. Source: pkg/kubelet/images/pullmanager.
"""

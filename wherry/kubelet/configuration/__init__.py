"""The kubelet's own configuration: files of kind KubeletConfiguration (`kubelet.config.k8s.io/v1beta1`).

`fields` says what becomes of each field, `decoding` reads files and drop-ins, `validation` judges what they
come to, `applied` makes a `KubeletConfig` of it.
"""

"""Devices of the node: what plug-ins offer, which container has which, and who may ask.

Source: pkg/kubelet/cm/devicemanager, pkg/kubelet/cm/dra, pkg/kubelet/apis/podresources.
"""

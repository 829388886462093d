"""Container images without a registry: built from files and packages, imported from archives.

`oci` writes image archives, `pack` gathers what goes in (files, Debian packages, the shared
libraries they need), `pause` makes the image every pod's sandbox runs, `load` gives an archive to
containerd. Nothing here knows Kubernetes.
"""

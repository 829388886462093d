"""PodSecurity: pods are held to the Pod Security Standard their namespace names in its labels.

`baseline` and `restricted` have the checks, pure functions of a pod; `standards` knows which of them a
level means at a version; `levels` reads the labels; `plugin` is the admission plugin.
"""

"""Webhooks of admission: servers somewhere else that may change or refuse what is written.

`configuration` reads them off the cluster's objects, `following` keeps that current, `review` makes the
request and judges the answer, `client` sends it, `mutating` and `validating` are the two plugins.
"""

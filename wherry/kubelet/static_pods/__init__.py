"""Static pods: what the node runs because a file or a URL says so, whether or not there is an API server.

`manifest` reads what is written (pure), `folder` and `url` follow a source each, `mirrors` shows the pods to
the API server (mirror pods), `static_pods` has the node's workers run what the sources say.
"""

"""Tools with no Kubernetes in them: clock, work queue, task supervision, logging, an HTTP front.

Nothing here imports anything else of Wherry, so any of it could be lifted out on its own.
"""

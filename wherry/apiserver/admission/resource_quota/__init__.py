"""ResourceQuota: nothing is stored that would take a namespace over what it may use.

`plan` decides purely, `batches` reserves in the quotas' status, `plugin` is the admission plugin.
"""

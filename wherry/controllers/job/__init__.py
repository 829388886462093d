"""Job: pods that run until enough of them have succeeded.

`facts` is what a sync sees, `verdict` whether the job has come to an end, `plan` which pods to make and to
remove, `tally` how ended pods are counted once and only once; these decide. `controller` acts.
Rules: pkg/controller/job.
"""

"""What objects count against a ResourceQuota: one evaluator per kind, pure functions throughout.

Admission reserves with these before an object is stored, the quota controller counts with them
afterwards; both must come to the same numbers, which is why they are here.
"""

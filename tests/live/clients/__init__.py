"""Other people's clients against a running cluster, one file per client.

What they found is the table in docs/compatibility.md, which these tests compare and, with
`--update-golden`, write.
"""

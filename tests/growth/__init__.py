"""Nothing a client sends may cost more than it weighs: n and 4n of everything, compared.

`meter` compares, `texts` are long texts that patterns stumble over, `places` finds every text and every list
of a kind. The kinds are in `test_kinds`, what reads texts on its own in `test_readers`.
"""

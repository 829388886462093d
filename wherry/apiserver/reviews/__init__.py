"""Kinds that are only asked, never stored: who a token is, what somebody may do."""

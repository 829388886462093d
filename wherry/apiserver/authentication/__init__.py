"""Who is asking: one file per way to prove it, and the chain that asks them in turn."""

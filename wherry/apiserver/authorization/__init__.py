"""Who may do what: one file per authorizer, and the chain that asks them in turn."""

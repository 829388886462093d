"""What the rules are made of: one backend per way the kernel (or we) can forward traffic."""

"""events.k8s.io: Event, the newer form of what the core group has too."""

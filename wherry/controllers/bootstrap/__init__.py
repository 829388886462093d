"""What bootstrap tokens need: `signing` signs cluster-info with them, `cleaning` takes expired ones away."""

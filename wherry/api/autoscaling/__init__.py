"""autoscaling: HorizontalPodAutoscaler in both versions."""

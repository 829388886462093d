"""Ingresses between extensions/v1beta1 and v1."""

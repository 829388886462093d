"""apiextensions.k8s.io: CustomResourceDefinition, and the kinds that are made of it."""

"""`wherry.dev/v1alpha1`: why pods are where they are. Read and asked, never stored."""

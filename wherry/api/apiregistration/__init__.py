"""apiregistration.k8s.io: APIService, a group version served by somebody else."""

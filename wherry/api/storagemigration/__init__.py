"""storagemigration.k8s.io: StorageVersionMigration."""

"""The core group (`v1`): pods, services, nodes, volumes, configuration, accounts, quotas."""

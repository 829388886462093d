"""The pods' network on this machine: the bridge, CNI configuration, filter rules of one cluster."""

"""Why a pod goes where it goes, or nowhere: per node, per plugin, and what would have to change."""

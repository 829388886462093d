"""One source of volumes per file; they know nothing of each other."""

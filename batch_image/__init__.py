"""The container: maps its environment to the core's worker."""

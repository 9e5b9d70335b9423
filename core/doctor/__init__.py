"""Whether a machine can do what will be asked of it, and what to do where it cannot."""

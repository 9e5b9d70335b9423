"""A second, slow writing of the vitaldb workload from its specification alone; it shares no code with ``core``."""

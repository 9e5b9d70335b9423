"""The functions of the workflow on AWS: each parses its event, calls ``core``, and tells metrics. One file each."""

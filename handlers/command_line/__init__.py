"""The command line for the cloud: ``casemill submit``, ``watch``, ``stop``, ``logs``, ``cost``, ``quarantine``
and ``doctor``.

They join the ``casemill`` command through the entry points of pyproject.toml. Whatever loads the AWS SDK is imported
when a command is called, so that ``casemill --help`` stays quick and works without it.
"""

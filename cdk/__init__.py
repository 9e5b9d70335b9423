"""The AWS stack, one construct per concern. It knows nothing of core, handlers and the container but their folders."""

from cdk.node_runtime import use_packaged_node

# Here, because this module comes before every import of aws_cdk by one of the package's own.
use_packaged_node()

"""Two data sets or runs beside each other: what differs, and by how much."""

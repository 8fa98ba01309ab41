"""What is counted at the edge, and `/metrics`, which shows that and what the system has counted."""

"""Services that remember nothing: their replicas, and where their handlers run."""

"""Who has what of a service that is kept in shards."""

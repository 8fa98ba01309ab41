"""Hotel booking: each service with a database of its own, and a saga between them."""

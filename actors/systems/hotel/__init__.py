"""Hotel booking: customers and rooms, each a service with a database of its own."""

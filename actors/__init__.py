"""Microservices as actors: a kernel, durable stores, and the systems built on them."""

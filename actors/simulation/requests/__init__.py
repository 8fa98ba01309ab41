"""Requests as bytes, as no client library makes them."""

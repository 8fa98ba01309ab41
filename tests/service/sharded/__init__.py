"""Tests of services in shards."""

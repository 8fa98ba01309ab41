"""What `make bench` asks of a system that is asked for more than it can do."""

"""The reference systems. They share nothing with each other but the runtime."""

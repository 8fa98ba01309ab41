"""Every test states a property. Async tests run on a loop of their own; see conftest.py."""

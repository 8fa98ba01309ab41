"""A store's file: opened, checked, locked, backed up, and known for what it is."""

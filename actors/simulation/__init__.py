"""The whole system on virtual time, from one seed: what breaks it, what it does, what must hold."""

"""An event loop on virtual time: what waits, jumps."""

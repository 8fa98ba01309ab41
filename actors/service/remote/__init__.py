"""Services that are somebody else's process: how they are asked and told by HTTP."""

"""What an address can be: a message, a list, a text, a probe, an operator's, the front page."""

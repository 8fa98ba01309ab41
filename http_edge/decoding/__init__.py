"""From HTTP's bodies and addresses into messages."""

"""What tests of one's own systems use: the fixtures `rehearsal` and `live` of the pytest plugin."""

"""The language of X's rules: from a text to what says whether a tweet meets it."""

"""`runtime.py simulate`: campaigns, what they print and what they leave behind."""

"""What a store's transactions remember of messages: come, sent, due, put off, given up."""

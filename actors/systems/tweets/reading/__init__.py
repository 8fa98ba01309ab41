"""How X's stream is read: the reader service, its books, and what follows the stream for it."""

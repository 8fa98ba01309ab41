"""A bakery in two versions, each with messages of its own: the present one and the one before."""

"""A user's own photographs of towers, as a TFDS data set."""

"""ORL faces, as a TFDS data set."""

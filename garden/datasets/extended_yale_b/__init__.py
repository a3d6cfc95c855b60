"""Extended Yale B, as a TFDS data set."""

"""Videos of billiards, simulated here, as TFDS sets."""

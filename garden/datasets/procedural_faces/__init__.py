"""Faces drawn here: frontal, truly in profile, and turned from a frontal one, as TFDS sets."""

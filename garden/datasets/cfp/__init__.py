"""Celebrities in Frontal-Profile: photographs from the front and from the side, and its protocol."""

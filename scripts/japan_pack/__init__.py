"""Parts of the converter of Japanese tables."""

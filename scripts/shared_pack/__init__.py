"""What the converters of all countries share: files, bands of age, clusters of places, raking, personality, the command line."""

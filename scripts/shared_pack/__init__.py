"""What the converters of all countries share: files, bands of age, raking, personality, the command line."""

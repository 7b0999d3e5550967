"""The parts of scripts/convert_usa.py."""

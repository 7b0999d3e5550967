"""The parts of scripts/convert_singapore.py."""

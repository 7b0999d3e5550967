"""The parts of scripts/convert_india.py."""

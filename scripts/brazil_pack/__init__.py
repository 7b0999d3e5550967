"""The converter of the pack `brazil`, in parts. Run scripts/convert_brazil.py."""

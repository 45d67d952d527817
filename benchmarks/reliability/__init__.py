"""The promises about the index folder, each tried as often as its figure says. `run.py` runs them."""

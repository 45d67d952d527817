"""The vocabulary that every room of the house speaks; it imports nothing of ours."""

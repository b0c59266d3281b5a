"""Seeding, run folders, the training loop and its configuration."""

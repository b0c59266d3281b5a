"""Small trained models that ship with the package."""

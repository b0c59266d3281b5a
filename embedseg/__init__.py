"""Instance segmentation by learned pixel embeddings."""

__version__ = "0.1.0"

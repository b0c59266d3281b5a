"""What users do with lanes: a model on frames and videos, the official scores, training H-Net."""

"""Training: losses, regularisers, training sets, negatives and batches."""

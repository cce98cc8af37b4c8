"""What models learn from and are measured on: corpora, pairs, the benchmark."""

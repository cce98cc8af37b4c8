"""Results as pages that open offline."""

"""Wave -> normalised mel, and what can be read off a mel without learning."""

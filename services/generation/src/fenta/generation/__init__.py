"""Scripts, speech, pictures and music from providers, local or far."""

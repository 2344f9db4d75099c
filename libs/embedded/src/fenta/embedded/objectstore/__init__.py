"""A local-disk store that speaks the part of S3 that Fenta uses, signatures checked."""

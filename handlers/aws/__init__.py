"""What the functions ask of AWS, each service behind a few calls that say what they mean."""

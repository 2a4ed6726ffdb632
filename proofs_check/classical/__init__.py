"""Classical rates of max-margin training."""

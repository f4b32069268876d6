"""What recognizers that begin from nothing share."""

"""What Coqui's voices share."""

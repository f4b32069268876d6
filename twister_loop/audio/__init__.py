"""Reading, cutting, comparing and perturbing sound."""

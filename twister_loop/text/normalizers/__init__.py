"""Text normalizers, one file each, named as plans name them."""

"""What every room needs: types, manifests, artifacts, errors, the registry of parts."""

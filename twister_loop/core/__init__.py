"""Foundation of all other packages: types, manifests, artifacts, errors, the registry of parts."""

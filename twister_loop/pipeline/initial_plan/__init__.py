"""First plan for a folder that nobody described: survey, hearing, roles of the files, the YAML."""

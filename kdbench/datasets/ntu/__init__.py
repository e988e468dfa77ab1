"""NTU RGB+D 60 and 120: names, protocols, skeleton files."""

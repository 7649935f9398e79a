"""gin looks for run files in packages."""

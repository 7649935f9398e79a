"""Sources: how datasets are stored, and how what they hold becomes the raw fields that formats read."""

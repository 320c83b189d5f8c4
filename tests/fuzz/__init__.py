"""Coverage-guided fuzzing of all that reads what came from outside: `make fuzz`."""

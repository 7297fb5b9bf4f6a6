"""ordertape's built-in rules, one subject a file."""

"""The ordertape command."""

"""The admin listener: health, and later metrics and console."""

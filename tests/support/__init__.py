"""What tests share: tiny real networks and data."""

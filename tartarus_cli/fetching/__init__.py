"""Published data: downloaded, verified and installed."""

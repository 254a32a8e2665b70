# Generated from its twin under aio by .github/scripts/generate_sync.py; edit that.
"""The WCS clients."""

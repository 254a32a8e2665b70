# Generated from its twin under aio by .github/scripts/generate_sync.py; edit that.
"""CMQ clients."""

from .client import Client as Client
from .queue import Queue as Queue
from .topic import Subscription as Subscription
from .topic import Topic as Topic

# Generated from its twin under aio by .github/scripts/generate_sync.py; edit that.
"""RocketMQ clients."""

from .producer import Producer as Producer
from .producer import Transaction as Transaction
from .push import PushConsumer as PushConsumer
from .queue import Queue as Queue

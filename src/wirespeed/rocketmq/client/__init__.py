# Generated from its twin under aio by .github/scripts/generate_sync.py; edit that.
"""RocketMQ clients."""

from .admin import Admin as Admin
from .lite import LitePullConsumer as LitePullConsumer
from .producer import Producer as Producer
from .producer import Transaction as Transaction
from .push import PushConsumer as PushConsumer
from .queue import Queue as Queue
from .simple import SimpleConsumer as SimpleConsumer

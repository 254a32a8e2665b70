"""The soak runs use the live tests' broker."""

from tests.live.conftest import group, new_topic, rocketmq_cluster, topic

__all__ = ["group", "new_topic", "rocketmq_cluster", "topic"]

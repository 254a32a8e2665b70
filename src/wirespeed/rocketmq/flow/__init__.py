"""What the RocketMQ client does next: generators that yield effects, no I/O."""

"""RocketMQ's multiplexed connection.

`connection` knows the frames and the correlation ids and does no I/O; `threads` and `aio` own
a socket each and complete their callers' exchanges.
"""

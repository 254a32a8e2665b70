"""Request and reply."""

from __future__ import annotations

from ...engine.effects import Exchange, Flow
from ...errors import SendError
from ...remoting.connection import Command, Frame
from .. import codes, wire
from ..models import Message, ReceivedMessage, SendResult
from ..wire import replies
from .route import ClientState
from .send import SendPolicy, find_route, send


def ask(
    client: ClientState,
    policy: SendPolicy,
    message: Message,
    correlation: str,
    registration: Command,
    timeout: float,
) -> Flow[SendResult]:
    """Send a request, once the brokers that may push its reply know this client.

    Raises:
        WirespeedError: as `send`.
    """
    deadline = client.deadline(timeout)
    route = yield from find_route(client, message.topic, deadline)
    for _, address in route.write_queues:
        if address not in client.greeted:
            client.signed(registration)
            frame: Frame = yield Exchange(address, registration, deadline)
            if frame.code != codes.SUCCESS:
                raise codes.error(frame.code, frame.remark, address)
            client.greeted |= {address}
    replies.make_request(message, correlation, client.settings.client_id, timeout)
    left = max(0.001, deadline - client.settings.clock.monotonic())
    result = yield from send(client, policy, message, left)
    return result


def reply(
    client: ClientState, policy: SendPolicy, request: ReceivedMessage, made: Message, timeout: float
) -> Flow[None]:
    """Hand a reply to the broker that stored the request.

    Raises:
        SendError: the broker could not push it: who asked is gone.
        WirespeedError: it did not answer.
    """
    deadline = client.deadline(timeout)
    wire.check_body(made.body, policy.max_body)
    yield from find_route(client, request.topic, deadline)
    address = client.broker_address(request.broker_name) or request.store_host
    born = int(client.settings.clock.wall() * 1000)
    command = replies.reply_request(policy.group, made, request.broker_name, born)
    frame: Frame = yield Exchange(address, client.signed(command), deadline)
    if frame.code != codes.SUCCESS:
        raise SendError(
            f"the reply was not delivered: {frame.remark or codes.name(frame.code)}",
            service="rocketmq",
            code=frame.code,
            endpoint=address,
            outcome="rejected",
            hint="who asked may have stopped to wait",
        )

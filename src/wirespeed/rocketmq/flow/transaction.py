"""Transactions: half messages, their end, and the broker's questions about them."""

from __future__ import annotations

from dataclasses import dataclass

from ...engine.effects import Exchange, Flow
from ...errors import ProtocolError
from ...remoting.connection import Command, Frame
from .. import wire
from ..models import (
    Message,
    MessageQueue,
    ReceivedMessage,
    SendResult,
    SendStatus,
    TransactionStatus,
)
from .route import CONTROL_TIMEOUT, ClientState
from .send import SendPolicy, compressed, deliver, prepare, result_of

_PREPARED = 0x4


@dataclass(frozen=True, slots=True)
class HalfMessage:
    """A message that the broker keeps from consumers until its transaction ends.

    Attributes:
        result: the acknowledgement of the half message.
        address: the broker that stored it.
        commit_log_offset: where it lies there.
        state_table_offset: its place among the half messages.
        transaction_id: the broker's id of the transaction, or "".
        topic: the message's topic.
    """

    result: SendResult
    address: str
    commit_log_offset: int
    state_table_offset: int
    transaction_id: str
    topic: str


def send_half(
    client: ClientState, policy: SendPolicy, message: Message, timeout: float
) -> Flow[HalfMessage]:
    """Store `message` as a half message.

    Raises:
        ConfigError: the message is refused before anything is sent.
        WirespeedError: as `send.deliver`.
    """
    deadline = client.deadline(timeout)
    for name in wire.DELAY_PROPERTIES & message.properties.keys():
        del message.properties[name]
    message.properties.update(TRAN_MSG="true", PGROUP=policy.group)
    properties = prepare(client, policy, message)
    body, sys_flag = compressed(policy, message)

    def make_command(queue: MessageQueue) -> Command:
        born = int(client.settings.clock.wall() * 1000)
        return wire.send_request(
            policy.group, message, properties, queue, sys_flag | _PREPARED, born, body=body
        )

    delivery = yield from deliver(client, policy, message.topic, make_command, deadline)
    result = result_of(delivery, message)
    address = client.broker_address(delivery.queue.broker_name)
    if address is None:
        raise ProtocolError("the broker of a half message left the route", service="rocketmq")
    return HalfMessage(
        result,
        address,
        wire.commit_log_offset(result.offset_message_id),
        result.queue_offset,
        delivery.frame.ext_fields.get("transactionId", ""),
        message.topic,
    )


def end(
    client: ClientState, policy: SendPolicy, half: HalfMessage, status: TransactionStatus
) -> Flow[None]:
    """Commit or roll back; an unknown status leaves it to the broker's check.

    A half message that is not safe on disk or on a replica is rolled back.
    """
    if half.result.status is not SendStatus.OK:
        status = TransactionStatus.ROLLBACK
    command = wire.end_transaction_request(
        policy.group,
        half.topic,
        half.result.queue.broker_name,
        state_table_offset=half.state_table_offset,
        commit_log_offset=half.commit_log_offset,
        status=status,
        message_id=half.result.message_id,
        transaction_id=half.transaction_id,
        from_check=False,
    )
    deadline = client.deadline(CONTROL_TIMEOUT)
    yield Exchange(half.address, client.signed(command), deadline, oneway=True)


@dataclass(frozen=True, slots=True)
class Check:
    """A broker's question: what became of this half message.

    Attributes:
        message: the half message.
        frame: the question, whose offsets the answer repeats.
    """

    message: ReceivedMessage
    frame: Frame


def read_check(frame: Frame) -> Check:
    """Read a code 39 request.

    Raises:
        ProtocolError: its body is not one stored message.
    """
    messages = wire.parse_messages(frame, frame.ext_fields.get("bname", ""), frozenset())
    if len(messages) != 1:
        raise ProtocolError("a transaction check without its message", service="rocketmq")
    return Check(messages[0], frame)


def answer_check(
    client: ClientState, policy: SendPolicy, check: Check, status: TransactionStatus
) -> Flow[None]:
    """Tell the broker what became of the transaction it asked about."""
    message = check.message
    fields = check.frame.ext_fields
    command = wire.end_transaction_request(
        policy.group,
        message.topic,
        fields.get("bname", ""),
        state_table_offset=wire.integer(check.frame, "tranStateTableOffset"),
        commit_log_offset=wire.integer(check.frame, "commitLogOffset"),
        status=status,
        message_id=message.message_id,
        transaction_id=fields.get("transactionId", ""),
        from_check=True,
    )
    deadline = client.deadline(CONTROL_TIMEOUT)
    yield Exchange(message.store_host, client.signed(command), deadline, oneway=True)

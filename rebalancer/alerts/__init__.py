"""Alert delivery: the journal is the queue, channels deliver messages, and a heartbeat shows that the program is alive.

This package holds messages, channels and what is pending on each. It imports the journal and the layers below it;
trading never waits for it and never fails because of it.
"""

from rebalancer.alerts.channel import Channel, NotDelivered
from rebalancer.alerts.configured import Configured, configured
from rebalancer.alerts.delivery_thread import DeliveryThread
from rebalancer.alerts.message import SUMMARY, Message, Words
from rebalancer.alerts.outbox import LOCK_NAME, Outbox

__all__ = [
    "LOCK_NAME",
    "SUMMARY",
    "Channel",
    "Configured",
    "DeliveryThread",
    "Message",
    "NotDelivered",
    "Outbox",
    "Words",
    "configured",
]

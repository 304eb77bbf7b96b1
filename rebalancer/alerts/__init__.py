"""Alerts on their way to people: the journal is the queue, channels hand over, a heartbeat tells that we live.

waiting     what is due on a channel: folding, rate, pauses (pure)
outbox      hands over what is due, and notes what became of it
postman     the thread that does so beside a session
webhook, through_apprise, mail, heartbeat     the ways to people
configured  which of them are set up
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

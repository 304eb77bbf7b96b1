"""Websockets whose compression any client can agree to."""

from __future__ import annotations

import logging
from typing import Any, Final

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.server import ServerProtocol

_SETTINGS: Final = {"memLevel": 5}


class CompressedProtocol(WebSocketsSansIOProtocol):
    """A websocket that compresses messages when the client offers it, and names a window only when the client does.

    The server below names a window of its own in its answer. RFC 7692, 7.1.2.1, allows that, but clients that cannot
    choose a window, Go's among them, then end the connection.
    """

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.conn = ServerProtocol(
            extensions=[ServerPerMessageDeflateFactory(compress_settings=_SETTINGS)],
            max_size=self.config.ws_max_size,
            logger=logging.getLogger("uvicorn.error"),
        )

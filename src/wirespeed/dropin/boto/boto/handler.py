"""Gives an XML reply to the objects that it describes."""

from __future__ import annotations

import xml.sax
from io import BytesIO
from typing import Any


class XmlHandler(xml.sax.ContentHandler):
    """Calls `startElement`, `endElement` and `endNode` of nested objects.

    `startElement(name, attrs, connection)` returns the object that takes what is inside, or None.
    """

    def __init__(self, root_node: Any, connection: Any) -> None:
        super().__init__()
        self.connection = connection
        self.nodes: list[tuple[str, Any]] = [("root", root_node)]
        self.current_text = ""

    def startElement(self, name: str, attrs: Any) -> None:
        """An element begins."""
        self.current_text = ""
        node = self.nodes[-1][1].startElement(name, attrs, self.connection)
        if node is not None:
            self.nodes.append((name, node))

    def endElement(self, name: str) -> None:
        """An element ends."""
        inner, node = self.nodes[-1]
        node.endElement(name, self.current_text, self.connection)
        if inner == name:
            if hasattr(node, "endNode"):
                node.endNode(self.connection)
            self.nodes.pop()
        self.current_text = ""

    def characters(self, content: str) -> None:
        """Text comes."""
        self.current_text += content


class XmlHandlerWrapper:
    """Parses a text for an object."""

    def __init__(self, root_node: Any, connection: Any) -> None:
        self.handler = XmlHandler(root_node, connection)

    def parseString(self, content: str | bytes) -> None:
        """Parse.

        Raises:
            xml.sax.SAXParseException: it is no XML.
        """
        raw = content.encode() if isinstance(content, str) else content
        parser = xml.sax.make_parser()
        parser.setFeature(xml.sax.handler.feature_external_ges, False)
        parser.setContentHandler(self.handler)
        parser.parse(BytesIO(raw))

"""The history of an item as a graph of what was made of what, by which step.

Source:
    W3C Member Submission, The PROV-JSON Serialization, 24 April 2013; W3C PROV-DM.
"""

import hashlib
from collections.abc import Iterator
from typing import Any, Final

from core.json import JsonObject

_PREFIXES: Final = {
    "terrane": "urn:terrane:",
    "file": "https://stac-extensions.github.io/file/v2.1.0/schema.json#",
}
_QUALIFIED = "xsd:QName"


def lineage(item: JsonObject) -> JsonObject:
    """Return the PROV-JSON document of an item.

    Entities are the item and the files and tables of its history, activities the steps, agents the
    software. An item without a history is derived from what its link `derived_from` names.
    """
    graph = _Graph(item)
    for number, step in enumerate(item["properties"].get("stac:processing_history") or []):
        graph.add_step(number, step)
    graph.add_item()
    return graph.document


class _Graph:
    def __init__(self, item: JsonObject) -> None:
        self._item = item
        self._subject = _name("item", f"{item['collection']}/{item['id']}")
        self.document: JsonObject = {
            "prefix": dict(_PREFIXES),
            "entity": {},
            "activity": {},
            "agent": {},
            "used": {},
            "wasGeneratedBy": {},
            "wasDerivedFrom": {},
            "wasAssociatedWith": {},
        }

    def add_step(self, number: int, step: JsonObject) -> None:
        """Add a step with what it read and wrote, and the software that did it."""
        activity = _name("step", f"{step.get('job_id', '')}/{step.get('task_id', number)}/{step['name']}")
        self.document["activity"][activity] = {
            "prov:label": step["name"],
            "prov:type": {"$": f"terrane:{step['name']}", "type": _QUALIFIED},
            **{f"terrane:{key}": step[key] for key in ("job_id", "task_id", "parameters") if key in step},
            **({"prov:endTime": step["completed_at"]} if "completed_at" in step else {}),
        }
        read = [self._file(file) for file in step.get("inputs", [])]
        written = [self._file(file) for file in step.get("outputs", [])]
        for entity in read:
            self._relate("used", {"prov:activity": activity, "prov:entity": entity})
        for entity in written or [self._subject]:
            self._relate("wasGeneratedBy", {"prov:entity": entity, "prov:activity": activity})
            for source in read:
                self._relate("wasDerivedFrom", {"prov:generatedEntity": entity, "prov:usedEntity": source})
        for agent in self._software(step):
            self._relate("wasAssociatedWith", {"prov:activity": activity, "prov:agent": agent})

    def add_item(self) -> None:
        """Add the item itself, with what it says that it comes from."""
        self.document["entity"][self._subject] = {
            "prov:label": self._item["id"],
            "prov:type": {"$": "terrane:item", "type": _QUALIFIED},
            "terrane:collection": self._item["collection"],
        }
        if self.document["wasDerivedFrom"]:
            return
        for link in self._item.get("links", []):
            if link.get("rel") == "derived_from":
                source = self._file(link)
                relation = {"prov:generatedEntity": self._subject, "prov:usedEntity": source}
                self._relate("wasDerivedFrom", relation)

    def _file(self, file: JsonObject) -> str:
        name = _name("file", file["href"])
        entity = self.document["entity"].setdefault(
            name, {"prov:label": file["href"], "prov:location": file["href"]}
        )
        checksum = file.get("checksum") or file.get("file:checksum")
        if checksum:
            entity["file:checksum"] = checksum
        return name

    def _software(self, step: JsonObject) -> Iterator[str]:
        software = step.get("software") or self._item["properties"].get("processing:software") or {}
        for title, version in sorted(software.items()):
            agent = _name("software", f"{title}@{version}")
            self.document["agent"][agent] = {
                "prov:type": {"$": "prov:SoftwareAgent", "type": _QUALIFIED},
                "prov:label": title,
                "terrane:version": version,
            }
            yield agent

    def _relate(self, relation: str, members: dict[str, Any]) -> None:
        relations = self.document[relation]
        if members not in relations.values():
            relations[f"_:{relation}{len(relations) + 1}"] = members


def _name(kind: str, text: str) -> str:
    """Return a name that is legal in PROV-JSON, whatever the text has in it."""
    return f"terrane:{kind}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"

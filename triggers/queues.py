"""Service Bus triggers: a bell wakes a worker in the lane that it names."""

import azure.functions as func

from config.settings import EngineSettings
from triggers.bootstrap import app, drain_on_sigterm

blueprint = func.Blueprint()


def bell_light(message: func.ServiceBusMessage) -> None:
    """Work in the light lane."""
    app().machine.answer_bell("light", message.delivery_count or 1)


def bell_heavy(message: func.ServiceBusMessage) -> None:
    """Work in the heavy lane."""
    app().machine.answer_bell("heavy", message.delivery_count or 1)


_LANES = {
    "light": (bell_light, "%SERVICE_BUS_LIGHT_QUEUE%"),
    "heavy": (bell_heavy, "%SERVICE_BUS_HEAVY_QUEUE%"),
}

# One code base serves either lane or both: an app of its own per lane sets ENGINE_SERVE_LANES.
for _lane in EngineSettings().serve_lanes:
    _function, _queue = _LANES[_lane]
    blueprint.service_bus_queue_trigger(
        arg_name="message", queue_name=_queue, connection="ServiceBusConnection"
    )(_function)

drain_on_sigterm()

"""The entry point of the Functions host: every trigger, and nothing else."""

import azure.functions as func

from triggers import queues, timers
from triggers.apis import functions
from triggers.http.documents import RESOURCES

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)

for _resource in RESOURCES:
    app.register_functions(_resource.blueprint)
app.register_functions(functions.blueprint)
app.register_functions(queues.blueprint)
app.register_functions(timers.blueprint)

"""Entry points: HTTP, Service Bus, timers, the plain worker, and the composition root."""

"""A Service Bus emulator: an AMQP 1.0 broker for the unmodified Azure SDKs, in memory, for one machine."""

"""Which of a service's replicas answer: their health, who gets the next message, and who heard."""

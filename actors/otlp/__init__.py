"""Spans as OpenTelemetry's, by its protocol. Of the extra `otlp`: imported where they leave."""
